"""The transitions of a job's record, as scripts that Redis runs whole: of two processes one wins, the other is told.

Every change of state is written to the record, to the sets that queue and reaper read, and to the job's event stream in
one step. Time is Redis's own, so that clocks of hosts need not agree. ARGV[1] of every script is the key prefix.
"""

SECONDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0)  # buckets of a job's running time
MOST_CALLBACKS = 16  # of one job

_PRELUDE = """
local prefix = ARGV[1]
local time = redis.call('TIME')
local now = string.format('%d.%06d', tonumber(time[1]), tonumber(time[2]))

local function publish(id, event, data)
  redis.call('XADD', prefix .. 'events:' .. id, 'MAXLEN', '~', 1000, '*', 'event', event, 'data', cjson.encode(data))
end

local function take_out_of_queue(id, queue)
  redis.call('ZREM', prefix .. 'queued:' .. queue, id)
  redis.call('ZREM', prefix .. 'missing', id)
end

local function call_back(id, url)
  redis.call('ZADD', prefix .. 'webhooks', now, id .. ' ' .. now .. ' ' .. url)
end

-- What /metrics tells of jobs, whichever process ended them and whoever is asked.
local function count(fields, status)
  local kind, started, slug = fields[2], fields[3], ''
  if fields[4] then slug = string.match(cjson.decode(fields[4]).type, '[^/]*$') end
  redis.call('HINCRBY', prefix .. 'totals', 'ended ' .. kind .. ' ' .. status .. ' ' .. slug, 1)
  if not started then return end
  local seconds, bucket = tonumber(now) - tonumber(started), '+Inf'
  for _, bound in ipairs({BUCKETS}) do
    if seconds <= bound then bucket = tostring(bound) break end
  end
  redis.call('HINCRBY', prefix .. 'totals', 'bucket ' .. kind .. ' ' .. bucket, 1)
  redis.call('HINCRBYFLOAT', prefix .. 'totals', 'seconds ' .. kind, string.format('%.6f', seconds))
end

local function finish(id, key, status, ttl)
  local fields = redis.call('HMGET', key, 'fingerprint', 'kind', 'started', 'problem', 'owner', 'parent')
  -- What was made is the parent's, and goes with it; this record only has to tell those who wait how it ended.
  if fields[6] and fields[6] ~= '' then ttl = math.min(tonumber(ttl), 60) end
  local expires = string.format('%.6f', tonumber(now) + tonumber(ttl))
  redis.call('HSET', key, 'status', status, 'ended', now, 'expires', expires, 'execution', '')
  redis.call('ZREM', prefix .. 'running', id)
  publish(id, 'status', {status = status})
  redis.call('EXPIRE', key, ttl)
  redis.call('EXPIRE', prefix .. 'events:' .. id, ttl)
  local fingerprint = prefix .. 'fingerprint:' .. fields[1]
  if redis.call('GET', fingerprint) == id then redis.call('EXPIRE', fingerprint, ttl) end
  redis.call('EXPIRE', prefix .. 'gone:' .. id, 2 * tonumber(ttl) + 60)
  redis.call('SREM', prefix .. 'active:' .. fields[5], id)
  local callbacks = prefix .. 'callbacks:' .. id
  for _, url in ipairs(redis.call('SMEMBERS', callbacks)) do call_back(id, url) end
  redis.call('DEL', callbacks)
  count(fields, status)
end
""".replace("BUCKETS", ", ".join(map(str, SECONDS)))

# ARGV: prefix, id, fingerprint, queue, owner, limit of the queue, limit of the owner (0: none), callback or '', then
# fields and values of the record. Answers the id of the job that was made or found, or full, busy or crowded. What is
# made for another job's results (`parent`) is not among the owner's jobs.
CREATE = (
    _PRELUDE
    + """
local id, queue, owner, callback = ARGV[2], ARGV[4], ARGV[5], ARGV[8]
local fingerprint = prefix .. 'fingerprint:' .. ARGV[3]
local earlier = redis.call('GET', fingerprint)
if earlier then
  local fields = redis.call('HMGET', prefix .. 'job:' .. earlier, 'status', 'cancel', 'lasting')
  local status = fields[1]
  local alive = (status == 'queued' or status == 'running') and fields[2] ~= '1'
  local over = status == 'succeeded' or (status == 'failed' and fields[3] == '1')
  if callback ~= '' and over then -- so often, for it makes no job and is nobody's to wait for
    local told = prefix .. 'told:' .. earlier
    if redis.call('INCR', told) > MOST_CALLBACKS then return 'crowded' end
    redis.call('EXPIRE', told, math.max(1, redis.call('TTL', prefix .. 'job:' .. earlier)))
    call_back(earlier, callback)
  end
  if callback ~= '' and alive then
    local callbacks = prefix .. 'callbacks:' .. earlier
    if redis.call('SCARD', callbacks) >= MOST_CALLBACKS and redis.call('SISMEMBER', callbacks, callback) == 0 then
      return 'crowded'
    end
    redis.call('SADD', callbacks, callback)
  end
  if alive or over then return earlier end
end
if tonumber(ARGV[7]) > 0 and redis.call('SCARD', prefix .. 'active:' .. owner) >= tonumber(ARGV[7]) then
  return 'busy'
end
if redis.call('ZCARD', prefix .. 'queued:' .. queue) >= tonumber(ARGV[6]) then return 'full' end
local key = prefix .. 'job:' .. id
redis.call('HSET', key, 'status', 'queued', 'created', now, unpack(ARGV, 9))
redis.call('SET', fingerprint, id)
redis.call('ZADD', prefix .. 'queued:' .. queue, now, id)
redis.call('SADD', prefix .. 'active:' .. owner, id)
if redis.call('HGET', key, 'parent') == '' then
  redis.call('SET', prefix .. 'gone:' .. id, owner)
  redis.call('ZADD', prefix .. 'jobs:' .. owner, time[1] .. string.format('%06d', tonumber(time[2])), id)
end
if callback ~= '' then redis.call('SADD', prefix .. 'callbacks:' .. id, callback) end
publish(id, 'status', {status = 'queued'})
return id
""".replace("MOST_CALLBACKS", str(MOST_CALLBACKS))
)

# ARGV: prefix, id, execution, lease seconds, attempts allowed. A job whose lease ran out may be taken over. Answers
# begun or refused.
BEGIN = (
    _PRELUDE
    + """
local id = ARGV[2]
local key = prefix .. 'job:' .. id
local fields = redis.call('HMGET', key, 'status', 'queue', 'attempts', 'cancel', 'handed_back')
if not fields[1] then return 'refused' end
if fields[1] == 'running' then
  local lease = redis.call('ZSCORE', prefix .. 'running', id)
  if fields[4] == '1' or (lease and tonumber(lease) > tonumber(now)) then return 'refused' end
  if tonumber(fields[3]) - tonumber(fields[5] or 0) >= tonumber(ARGV[5]) then return 'refused' end
elseif fields[1] ~= 'queued' then
  return 'refused'
end
take_out_of_queue(id, fields[2])
redis.call('HINCRBY', key, 'attempts', 1)
redis.call('HSET', key, 'status', 'running', 'execution', ARGV[3], 'started', now, 'progress', '0', 'stage', 'starting')
redis.call('ZADD', prefix .. 'running', tonumber(now) + tonumber(ARGV[4]), id)
publish(id, 'status', {status = 'running', attempts = tonumber(fields[3]) + 1})
return 'begun'
"""
)

# ARGV: prefix, id, execution, lease seconds, progress or '', stage or ''. Answers go, cancel, purge or lost.
BEAT = (
    _PRELUDE
    + """
local id = ARGV[2]
local key = prefix .. 'job:' .. id
local fields = redis.call('HMGET', key, 'status', 'execution', 'cancel', 'progress', 'stage')
if fields[1] ~= 'running' or fields[2] ~= ARGV[3] then return 'lost' end
redis.call('ZADD', prefix .. 'running', tonumber(now) + tonumber(ARGV[4]), id)
local progress, stage = fields[4], fields[5]
if ARGV[5] ~= '' and tonumber(ARGV[5]) > tonumber(progress) then progress = ARGV[5] end
if ARGV[6] ~= '' then stage = ARGV[6] end
if progress ~= fields[4] or stage ~= fields[5] then
  redis.call('HSET', key, 'progress', progress, 'stage', stage)
  local told = {progress = tonumber(progress), stage = stage}
  if ARGV[7] ~= '' then told.picture = ARGV[7] end
  publish(id, 'progress', told)
end
if fields[3] ~= '1' then return 'go' end
return redis.call('SISMEMBER', prefix .. 'to-purge', id) == 1 and 'purge' or 'cancel'
"""
)

_GIVE_TO_PARENT = """
local function give_to_parent(key, made)
  local parent = redis.call('HGET', key, 'parent')
  if not parent or parent == '' then return end
  local fields = redis.call('HMGET', prefix .. 'job:' .. parent, 'status', 'results')
  if fields[1] ~= 'succeeded' then return end
  local results = cjson.decode(fields[2])
  for media_type, artifact in pairs(made) do
    results[media_type] = artifact
    redis.call('ZADD', prefix .. 'uses:' .. artifact.sha256, now, 'job:' .. parent)
  end
  redis.call('HSET', prefix .. 'job:' .. parent, 'results', cjson.encode(results))
end
"""

# ARGV: prefix, id, execution, ttl, status, results, problem, lasting. The compare-and-set: only the execution that
# holds the job may end it. A job that was asked to stop does not succeed any more. Answers the state reached, or
# refused.
END = (
    _PRELUDE
    + _GIVE_TO_PARENT
    + """
local id = ARGV[2]
local key = prefix .. 'job:' .. id
local fields = redis.call('HMGET', key, 'status', 'execution', 'cancel')
if fields[1] ~= 'running' or fields[2] ~= ARGV[3] then return 'refused' end
local status = ARGV[5]
if fields[3] == '1' then status = 'canceled' end
if status == 'succeeded' then
  redis.call('HSET', key, 'results', ARGV[6], 'progress', '1', 'stage', 'done')
  publish(id, 'result', {results = cjson.decode(ARGV[6])})
  give_to_parent(key, cjson.decode(ARGV[6]))
elseif status == 'failed' then
  redis.call('HSET', key, 'problem', ARGV[7], 'lasting', ARGV[8])
end
finish(id, key, status, ARGV[4])
return status
"""
)

# ARGV: prefix, id, ttl, 1 where what it made is to go, too. Answers canceled, asked, again, finished or missing.
CANCEL = (
    _PRELUDE
    + """
local id = ARGV[2]
local key = prefix .. 'job:' .. id
local fields = redis.call('HMGET', key, 'status', 'queue', 'cancel')
local status = fields[1]
if not status then return 'missing' end
if status == 'queued' then
  take_out_of_queue(id, fields[2])
  redis.call('HSET', key, 'cancel', '1')
  finish(id, key, 'canceled', ARGV[3])
  return 'canceled'
elseif status == 'running' then
  if ARGV[4] == '1' then redis.call('SADD', prefix .. 'to-purge', id) end
  if fields[3] == '1' then return 'again' end
  redis.call('HSET', key, 'cancel', '1')
  publish(id, 'status', {status = 'running', canceling = true})
  return 'asked'
elseif status == 'canceled' then
  return 'again'
end
return 'finished'
"""
)

# ARGV: prefix, id, execution or '*', ttl, attempts allowed, problem, 1 where the end was orderly. Takes a job back from
# an execution that gave it up (its own id) or went silent ('*', and then only once the lease has run out). Answers
# queued, failed, canceled or refused.
TAKE_BACK = (
    _PRELUDE
    + """
local id = ARGV[2]
local key = prefix .. 'job:' .. id
local fields = redis.call('HMGET', key, 'status', 'execution', 'cancel', 'attempts', 'queue', 'handed_back')
if fields[1] ~= 'running' then
  redis.call('ZREM', prefix .. 'running', id)
  return 'refused'
end
if ARGV[3] == '*' then
  local lease = redis.call('ZSCORE', prefix .. 'running', id)
  if lease and tonumber(lease) > tonumber(now) then return 'refused' end
elseif fields[2] ~= ARGV[3] then
  return 'refused'
end
if fields[3] == '1' then
  finish(id, key, 'canceled', ARGV[4])
  return 'canceled'
end
if ARGV[7] == '1' then
  redis.call('HINCRBY', key, 'handed_back', 1)
elseif tonumber(fields[4]) - tonumber(fields[6] or 0) >= tonumber(ARGV[5]) then
  redis.call('HSET', key, 'problem', ARGV[6], 'lasting', '0')
  finish(id, key, 'failed', ARGV[4])
  return 'failed'
end
redis.call('HSET', key, 'status', 'queued', 'execution', '', 'progress', '0', 'stage', 'waiting for another attempt')
redis.call('HINCRBY', key, 'deliveries', 1)
redis.call('ZREM', prefix .. 'running', id)
redis.call('ZADD', prefix .. 'queued:' .. fields[5], redis.call('HGET', key, 'created'), id)
publish(id, 'status', {status = 'queued', attempts = tonumber(fields[4])})
return 'queued'
"""
)

# ARGV: prefix, id, deliveries as seen. Counts one more delivery of a queued job that its RQ queue has lost. Answers 1
# or 0.
REDELIVER = (
    _PRELUDE
    + """
local id = ARGV[2]
local key = prefix .. 'job:' .. id
local fields = redis.call('HMGET', key, 'status', 'deliveries')
redis.call('ZREM', prefix .. 'missing', id)
if fields[1] ~= 'queued' or fields[2] ~= ARGV[3] then return 0 end
redis.call('HINCRBY', key, 'deliveries', 1)
return 1
"""
)

# A use counts while the key that it names exists, or for a minute after it was pinned: that key may not have been
# written yet.
_RELEASE = """
local function unpin(user, first)
  local unused = {}
  for i = first, #ARGV do
    local uses = prefix .. 'uses:' .. ARGV[i]
    redis.call('ZREM', uses, user)
    local used = false
    local pins = redis.call('ZRANGE', uses, 0, -1, 'WITHSCORES')
    for j = 1, #pins, 2 do
      if tonumber(pins[j + 1]) > tonumber(now) - 60 or redis.call('EXISTS', prefix .. pins[j]) == 1 then
        used = true
      else
        redis.call('ZREM', uses, pins[j])
      end
    end
    if not used then unused[#unused + 1] = ARGV[i] end
  end
  return unused
end

local function release(user, first)
  redis.call('DEL', prefix .. user)
  return unpin(user, first)
end
"""

# ARGV: prefix, id, artifacts... Forgets a job and answers the artifacts that nobody else uses now.
PURGE = (
    _PRELUDE
    + _RELEASE
    + """
local id = ARGV[2]
local fields = redis.call('HMGET', prefix .. 'job:' .. id, 'fingerprint', 'queue', 'owner')
if fields[1] then
  local fingerprint = prefix .. 'fingerprint:' .. fields[1]
  if redis.call('GET', fingerprint) == id then redis.call('DEL', fingerprint) end
  take_out_of_queue(id, fields[2])
  redis.call('SREM', prefix .. 'active:' .. fields[3], id)
  redis.call('ZREM', prefix .. 'jobs:' .. fields[3], id)
end
redis.call('ZREM', prefix .. 'running', id)
redis.call('EXPIRE', prefix .. 'events:' .. id, 5) -- so long whoever follows it may read how it ended
redis.call('DEL', prefix .. 'callbacks:' .. id, prefix .. 'told:' .. id)
return release('job:' .. id, 3)
"""
)

# ARGV: prefix, user (such as `clip:<owner>:<sha256>`), artifacts... Forgets a user and answers what is unused now.
RELEASE = _PRELUDE + _RELEASE + "return release(ARGV[2], 3)"

# ARGV: prefix, user, artifacts... As RELEASE of a user that stays, and has no use for these any more.
UNPIN = _PRELUDE + _RELEASE + "return unpin(ARGV[2], 3)"

# ARGV: prefix, user (such as `job:<id>`), artifacts... Says that what lives under this key uses these artifacts.
PIN = (
    _PRELUDE
    + """
for i = 3, #ARGV do redis.call('ZADD', prefix .. 'uses:' .. ARGV[i], now, ARGV[2]) end
return #ARGV - 2
"""
)
