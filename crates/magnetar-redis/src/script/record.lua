-- A record is a hash of these fields and `sum`, a SHA-1 over the collection's name and all of them in this order. Epochs have 20 digits and are
-- compared as text, because a number of Lua is a double and takes 2^53 and 2^53 + 1 for the same.
local FIELDS = {'format', 'epoch', 'version', 'write', 'state', 'hash', 'saved', 'expires'}

local function sum_of(collection, fields)
    return redis.sha1hex(collection .. '\0' .. table.concat(fields, '\0'))
end

-- The fields of a record; nil where there is none; and what is wrong with it.
local function read_record(key, collection)
    local got = redis.pcall('HMGET', key, unpack(FIELDS))
    if got.err then
        return nil, string.find(got.err, 'WRONGTYPE', 1, true) and {'corrupt', 'it is no hash'} or got
    end
    local sum = redis.call('HGET', key, 'sum')
    local there = sum and 1 or 0
    for _, field in ipairs(got) do
        if field then
            there = there + 1
        end
    end
    if there == 0 then
        if redis.call('EXISTS', key) == 1 then
            return nil, {'corrupt', 'it has none of its fields'}
        end
        return nil, nil
    end
    if there <= #FIELDS then
        return nil, {'corrupt', 'it lacks some of its fields'}
    end
    if sum_of(collection, got) ~= sum then
        return nil, {'corrupt', 'its fields do not match their sum'}
    end
    if got[1] ~= '1' then
        return nil, {'newer', got[1]}
    end
    return {epoch = got[2], version = got[3], write = got[4], state = got[5], hash = got[6], saved = got[7], expires = got[8]}, nil
end

-- Milliseconds since 1970, which a double holds exactly.
local function now_ms()
    local time = redis.call('TIME')
    return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

local function digits(number)
    return string.format('%.0f', number)
end

-- A version is kept as text, because a double loses the last digits of a large one.
local function successor(number)
    local head, nines = string.match(number, '^(.-)(9*)$')
    local zeros = string.rep('0', #nines)
    if head == '' then
        return '1' .. zeros
    end
    return string.sub(head, 1, -2) .. digits(tonumber(string.sub(head, -1)) + 1) .. zeros
end
