-- Holds a lock on, if it is held under this epoch.
-- KEYS: lock
-- ARGV: epoch, time to live in ms
local held = redis.call('GET', KEYS[1])
if not held or string.match(held, ':(%d+)$') ~= ARGV[1] then
    return {'lost'}
end
local now = now_ms()
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return {'held', ARGV[1], digits(now + tonumber(ARGV[2]))}
