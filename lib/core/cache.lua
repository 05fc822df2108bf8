-- The one script that runs in Redis: one key, one verb, atomic. core/script.h describes the verbs.
-- The simulation runs this very text. Nothing here reads more than KEYS[1], so that the protocol is
-- the same on one node and on a cluster.
--
-- A tag:    T1 <version> <epoch> <barrier>[ <nonce>,<deadline_ms>,<server>,<connection>]...
-- A lease:  L1 <token> <stamp>
-- An entry: E1 <stamp> ...
--
-- ARGV is the verb, the epoch of the connection it came through, then what the verb takes.
-- barrier:  P (history unknown), or <term>@<source>:<n>[,<source>:<n>]...; of a term: its primary's
--           name, or ? for none.

local key, verb = KEYS[1], ARGV[1]

-- The text at the key; false when there is none. A value of another type is not ours: it goes.
local function get()
  local value = redis.pcall('GET', key)
  if type(value) == 'table' then
    redis.call('DEL', key)
    return false
  end
  return value
end

local now
local function now_ms()
  if not now then
    local time = redis.call('TIME')
    now = time[1] .. string.sub('00000' .. time[2], -6, -4)
  end
  return now
end

-- Leases and entries -----------------------------------------------------------------------------

local function starts(text, prefix)
  return text and string.sub(text, 1, #prefix) == prefix
end

if verb == 'lease' then -- token, stamp, budget_ms
  local token, stamp, found = ARGV[3], ARGV[4], get()
  if stamp ~= '' then
    local lease = found and string.match(found, '^L1 (%S+) ')
    if lease and string.sub(found, 5 + #lease) == stamp then
      return found
    end
    if starts(found, 'E1 ' .. stamp) then
      return found
    end
  end
  local mine = 'L1 ' .. token .. ' ' .. stamp
  redis.call('SET', key, mine, 'PX', ARGV[5])
  return mine
end

if verb == 'store' then -- token, entry, ttl_ms
  if not starts(get(), 'L1 ' .. ARGV[3] .. ' ') then -- rule LEASE_OWN
    return 'lost'
  end
  redis.call('SET', key, ARGV[4], 'PX', ARGV[5])
  return 'stored'
end

if verb == 'release' then -- token
  if starts(get(), 'L1 ' .. ARGV[3] .. ' ') then
    redis.call('DEL', key)
  end
  return 'released'
end

-- Tags --------------------------------------------------------------------------------------------

local epoch, found = ARGV[2], get()
local version, of, barrier, marks
local ours = false -- there, and of this epoch

if found then
  version, of, barrier, marks = string.match(found, '^T1 (%S+) (%S+) (%S+)(.*)$')
  if not version and string.match(found, '^T%d+ ') and not starts(found, 'T1 ') then
    return found -- a later protocol: hands off
  end
  ours = version ~= nil
  if of ~= epoch then -- rule EPOCH
    ours = false -- another node's tag, or no tag at all, counts as absent
  end
end
marks = marks or ''

local function put(ttl_ms)
  local text = 'T1 ' .. version .. ' ' .. of .. ' ' .. barrier .. marks
  if marks ~= '' or ttl_ms == '0' then
    redis.call('SET', key, text)
  else
    redis.call('SET', key, text, 'PX', ttl_ms)
  end
  return text .. '\n' .. now_ms()
end

-- A tag that is absent has a history nobody knows. One of a foreign epoch is as good as absent, but
-- its marks stay: whoever wrote them may be dead, and their statements may yet commit.
local function create(new_version, initial)
  version, of, barrier = new_version, epoch, initial -- rule KEEP_FOREIGN_MARKS
end

local function unmark(nonce)
  if marks == '' then
    return
  end
  local kept = ''
  for mark in string.gmatch(marks, '%S+') do
    if not starts(mark, nonce .. ',') then
      kept = kept .. ' ' .. mark
    end
  end
  marks = kept
end

if verb == 'open' then -- new_version, initial, ttl_ms
  if not ours then
    create(ARGV[3], ARGV[4])
  end
  return put(ARGV[5])
end

if verb == 'mark' then -- new_version, nonce, timeout_ms, server, connection, ttl_ms
  if not ours then
    create(ARGV[3], 'P')
  end
  unmark(ARGV[4])
  local deadline = string.format('%.0f', now_ms() + ARGV[5])
  marks = marks .. ' ' .. ARGV[4] .. ',' .. deadline .. ',' .. ARGV[6] .. ',' .. ARGV[7]
  return put(ARGV[8])
end

if verb == 'withdraw' then -- nonce, ttl_ms
  if not version then
    return 'absent'
  end
  unmark(ARGV[3])
  return put(ARGV[4])
end

if verb == 'resolve' then -- version, position, ttl_ms
  if not ours then
    return 'changed'
  end
  if version ~= ARGV[3] then -- rule RESOLVE_CAS
    return 'changed'
  end
  if barrier ~= 'P' and string.match(barrier, '^[^@]*') == string.match(ARGV[4], '^[^@]*') then
    return 'known' -- only P, or a barrier of another term, which counts as P
  end
  barrier = ARGV[4]
  return put(ARGV[5])
end

if verb == 'name' then -- version, new_version, name
  if not ours then
    create(ARGV[4], '?')
  elseif version == ARGV[3] then
    version, barrier = ARGV[4], ARGV[5]
  end
  return put('0')
end

-- The rest is for bumps alone: a call pays for the functions it comes by.

-- By bytes: what Lua's own < says of strings depends on the locale in which the server was started.
local function before(a, b)
  for i = 1, math.min(#a, #b) do
    local x, y = string.byte(a, i), string.byte(b, i)
    if x ~= y then
      return x < y
    end
  end
  return #a < #b
end

-- Numbers are compared as text, since they may exceed what a double holds exactly.
local function higher(a, b)
  if #a ~= #b then
    return #a > #b and a or b
  end
  return before(a, b) and b or a
end

local function merge(a, b)
  if a == 'P' or b == 'P' then -- rule STICKY_P
    return 'P'
  end
  local term = string.match(a, '^[^@]*')
  if string.match(b, '^[^@]*') ~= term then -- rule TERM_BARRIERS_NOT_MERGED
    return 'P'
  end
  local source_a, n_a = string.match(a, '^[^@]*@([^,]+):(%d+)$')
  local source_b, n_b = string.match(b, '^[^@]*@([^,]+):(%d+)$')
  if source_a and source_a == source_b then -- one and the same source: nearly always
    return term .. '@' .. source_a .. ':' .. higher(n_a, n_b)
  end
  local highest, sources = {}, {}
  for _, text in ipairs({ a, b }) do
    for source, n in string.gmatch(string.match(text, '@(.*)$') or '', '([^,]+):(%d+)') do
      if highest[source] then
        highest[source] = higher(highest[source], n)
      else
        highest[source] = n
        sources[#sources + 1] = source
      end
    end
  end
  table.sort(sources, before)
  for i, source in ipairs(sources) do
    sources[i] = source .. ':' .. highest[source]
  end
  return term .. '@' .. table.concat(sources, ',')
end

if verb == 'bump' then -- new_version, nonce, position, ttl_ms
  if ours then
    barrier = merge(barrier, ARGV[5])
  else
    create(ARGV[3], 'P') -- rule ABSENT_IS_P
  end
  unmark(ARGV[4])
  version = ARGV[3]
  return put(ARGV[6])
end

return redis.error_reply('twotier: unknown verb')
