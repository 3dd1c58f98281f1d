-- One write of a collection: fence, write id, comparison, value, time to live and index, in one step.
-- KEYS: record, value, index
-- ARGV: 'save' or 'clear', collection, epoch, write id, what is expected ('any', 'absent' or a version), token, SHA-256, time to live in ms or ''
local what, collection, epoch, write, expected = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local old, wrong = read_record(KEYS[1], collection)
if wrong then
    return wrong
end
local current = ''
if old then
    if epoch < old.epoch then
        return {'fenced', old.epoch}
    end
    if epoch == old.epoch and write == old.write then
        return {'again', old.version}
    end
    if old.state == 'token' then
        current = old.version
    end
end
if expected ~= 'any' and (expected == 'absent' and '' or expected) ~= current then
    return {'conflict', current}
end
if what == 'clear' and current == '' and epoch <= (old and old.epoch or '00000000000000000000') then
    return {'nothing', old and old.version or '0'}
end
if old and old.version == '18446744073709551615' then
    return {'exhausted'}
end

local now = now_ms()
local version = successor(old and old.version or '0')
local state, hash, expires = 'cleared', '', ''
if what == 'save' then
    state, hash = 'token', ARGV[7]
    -- First what could be refused: a key of another kind in its place.
    redis.call('ZADD', KEYS[3], 0, collection)
    if ARGV[8] == '' then
        redis.call('SET', KEYS[2], ARGV[6])
    else
        -- The record says when the token expires; the key outlives that by a minute, so that it is never gone before.
        redis.call('SET', KEYS[2], ARGV[6], 'PX', digits(tonumber(ARGV[8]) + 60000))
        expires = digits(now + tonumber(ARGV[8]))
    end
else
    redis.call('ZREM', KEYS[3], collection)
    redis.call('DEL', KEYS[2])
end
local fields = {'1', epoch, version, write, state, hash, digits(now), expires}
local words = {'sum', sum_of(collection, fields)}
for at, name in ipairs(FIELDS) do
    words[#words + 1] = name
    words[#words + 1] = fields[at]
end
redis.call('HSET', KEYS[1], unpack(words))
return {'written', version}
