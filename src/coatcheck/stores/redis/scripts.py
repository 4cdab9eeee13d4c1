"""What Redis does with a session in one step: a script each, on keys of one slot.

They look at a record's header alone, which `packed` describes. Times are milliseconds. What ends
sessions, or keeps them alive, may run when memory is full: it takes hardly any.
"""

from hashlib import sha1

SAVE = """
local head = redis.call('GETRANGE', KEYS[1], 0, 24)
if ARGV[1] == '' then
    if head ~= '' then return redis.call('GET', KEYS[1]) end
elseif string.sub(head, 1, 17) ~= ARGV[1] then
    return redis.call('GET', KEYS[1])
end
local value, life = ARGV[2], tonumber(ARGV[3])
if head ~= '' and struct.unpack('>I8', head, 18) > struct.unpack('>I8', value, 18) then
    value = string.sub(value, 1, 17) .. string.sub(head, 18, 25) .. string.sub(value, 26)
    life = math.max(life, redis.call('PTTL', KEYS[1]))
end
redis.call('SET', KEYS[1], value, 'PX', life)
return 1
"""
TOUCH = """#!lua flags=allow-oom
local head = redis.call('GETRANGE', KEYS[1], 0, 24)
if string.sub(head, 1, 1) ~= 'R' then return 0 end
if struct.unpack('>I8', head, 18) < struct.unpack('>I8', ARGV[1]) then
    redis.call('SETRANGE', KEYS[1], 17, ARGV[1])
    redis.call('PEXPIRE', KEYS[1], ARGV[2], 'GT')
end
return 1
"""
END = """#!lua flags=allow-oom
local old = redis.call('GET', KEYS[1])
if ARGV[1] ~= '' and string.sub(old or '', 1, 17) ~= ARGV[1] then return {0, old} end
if string.sub(old or '', 1, 1) ~= 'T' then redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
return {1, old}
"""
ENLIST = """
local bar = tonumber(redis.call('GET', KEYS[2]) or '0')
if bar >= tonumber(ARGV[1]) and bar ~= tonumber(ARGV[2]) then return 0 end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[6])
local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')
local score = tonumber(ARGV[3])
if last[1] and last[1] ~= ARGV[4] then score = math.max(score, tonumber(last[2]) + 1) end
redis.call('ZADD', KEYS[1], 'GT', string.format('%.0f', score), ARGV[4])
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[5]) then redis.call('PEXPIRE', KEYS[1], ARGV[5]) end
if ARGV[7] == '' or redis.call('ZCARD', KEYS[1]) <= tonumber(ARGV[7]) then return {} end
return redis.call('ZRANGE', KEYS[1], 0, -1)
"""
BAR = """#!lua flags=allow-oom
local previous = tonumber(redis.call('GET', KEYS[2]) or '0')
local bar = math.max(previous + 1, tonumber(ARGV[1]))
redis.call('SET', KEYS[2], string.format('%.0f', bar), 'PX', ARGV[2])
return {previous, bar, redis.call('ZRANGE', KEYS[1], 0, -1)}
"""
TALLY = """
local count = redis.call('INCR', KEYS[1])
if count == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return count
"""
# Redis names scripts by their SHA-1.
SHA = {
    source: sha1(source.encode(), usedforsecurity=False).hexdigest()
    for source in (SAVE, TOUCH, END, ENLIST, BAR, TALLY)
}
