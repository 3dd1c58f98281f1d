-- Gives a lock back, if it is held under this epoch.
-- KEYS: lock
-- ARGV: epoch
local held = redis.call('GET', KEYS[1])
if held and string.match(held, ':(%d+)$') == ARGV[1] then
    redis.call('DEL', KEYS[1])
end
return {'released'}
