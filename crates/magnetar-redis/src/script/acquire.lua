-- Takes a lock, or finds that this very call has taken it already and its reply was lost.
-- KEYS: lock, epoch
-- ARGV: who, time to live in ms
local now = now_ms()
local held = redis.call('GET', KEYS[1])
if held then
    local left = redis.call('PTTL', KEYS[1])
    local who, epoch = string.match(held, '^(%x+):(%d+)$')
    if not who or left < 0 then
        return {'corrupt', 'it is no lock of ours'}
    end
    return {who == ARGV[1] and 'held' or 'locked', epoch, digits(now + left)}
end
redis.call('INCR', KEYS[2])
-- Read back as text: a number of Lua would lose the last digits of a large one.
local epoch = redis.call('GET', KEYS[2])
redis.call('SET', KEYS[1], ARGV[1] .. ':' .. epoch, 'NX', 'PX', ARGV[2])
return {'held', epoch, digits(now + tonumber(ARGV[2]))}
