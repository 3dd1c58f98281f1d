-- What stands under the names of some collections.
-- KEYS: index, then the record and the value of each collection
-- ARGV: the collections
local answers = {digits(now_ms())}
for at, collection in ipairs(ARGV) do
    local record, answer = read_record(KEYS[at * 2], collection)
    if answer and answer.err then
        return answer
    end
    if record and record.state == 'token' then
        local value = redis.pcall('GET', KEYS[at * 2 + 1])
        if type(value) == 'table' then
            if not string.find(value.err, 'WRONGTYPE', 1, true) then
                return value
            end
            answer = {'corrupt', 'its value is no string'}
        else
            answer = {'token', record.epoch, record.version, record.saved, record.expires, record.hash, value}
        end
    elseif record then
        answer = {'absent'}
    elseif not answer then
        local lost = redis.call('ZSCORE', KEYS[1], collection) or redis.call('EXISTS', KEYS[at * 2 + 1]) == 1
        answer = lost and {'corrupt', 'it is gone, and something of its collection is left'} or {'absent'}
    end
    answers[#answers + 1] = answer
end
return answers
