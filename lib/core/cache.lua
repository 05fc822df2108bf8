-- The one script that runs in Redis: one key, one verb, atomic.
-- The simulation runs this very text. Nothing here reads more than KEYS[1], so that the protocol is
-- the same on one node and on a cluster. A write's mark is mostly made without it (core/batch.h).
--
-- A tag:    T1 <version> <epoch> <barrier>[ <nonce>,<deadline_ms>,<server>,<connection>]...
--           or no tag, but the marks of one that was absent when they were made
-- A lease:  L1 <token> <stamp>
-- An entry: E1 <stamp> ...
--
-- ARGV is the verb, the epoch of the connection it came through, then what the verb takes.
-- barrier:  P (history unknown), or <term>@<source>:<n>[,<source>:<n>]...; of a term: its primary's
--           name, or ? for none.
--
-- Redis runs nothing else meanwhile, so a call pays only for what its verb needs: no function is
-- made for it, and the clock is asked only where a mark is there to be compared with it.

local key, verb, epoch = KEYS[1], ARGV[1], ARGV[2]

-- The text at the key; false when there is none. A value of another type is not ours: it goes.
local found = redis.pcall('GET', key)
if type(found) == 'table' then
  redis.call('DEL', key)
  found = false
end

-- Leases and entries -----------------------------------------------------------------------------

if verb == 'lease' then -- token, stamp, budget_ms
  local stamp = ARGV[4]
  if found and stamp ~= '' then
    local entry = 'E1 ' .. stamp
    if string.sub(found, 1, #entry) == entry or string.match(found, '^L1 %S+ (.*)$') == stamp then
      return found
    end
  end
  local mine = 'L1 ' .. ARGV[3] .. ' ' .. stamp
  redis.call('SET', key, mine, 'PX', ARGV[5])
  return mine
end

if verb == 'store' or verb == 'release' then -- token[, entry, ttl_ms]
  local lease = 'L1 ' .. ARGV[3] .. ' '
  local mine = found and string.sub(found, 1, #lease) == lease
  if verb == 'release' then
    if mine then
      redis.call('DEL', key)
    end
    return 'released'
  end
  if not mine then -- rule LEASE_OWN
    return 'lost'
  end
  redis.call('SET', key, ARGV[4], 'PX', ARGV[5])
  return 'stored'
end

-- Tags --------------------------------------------------------------------------------------------

local version, of, barrier, marks
if found then
  version, of, barrier, marks = string.match(found, '^T1 (%S+) (%S+) (%S+)(.*)$')
  if not version then
    if string.gsub(found, ' [^ ,]+,%d+,[^ ,]+,%d+', '') == '' then
      marks = found
    elseif string.sub(found, 1, 3) ~= 'T1 ' and string.find(found, '^T%d+ ') then
      if verb ~= 'withdraw' then
        return found -- a later protocol: hands off, but for a mark that we left at its end
      end
      marks = found
    end
  end
end

-- Another node's tag, or no tag at all, counts as absent: its history is one that nobody knows. But
-- its marks stay: whoever wrote them may be dead, and their statements may yet commit.
local ours = of == epoch -- rule EPOCH
marks = marks or '' -- rule KEEP_FOREIGN_MARKS

-- A verb says what becomes of the tag, which is written at the end of this file.
local ttl -- ms; '0': no end
local answer -- a word; none: the tag itself
local other -- a barrier to merge with
local nonce -- its marks go
local timeout -- then it marks the tag for so long, in ms

if verb == 'bump' then -- new_version, nonce, position, ttl_ms
  local position = ARGV[5]
  version, nonce, ttl, answer = ARGV[3], ARGV[4], ARGV[6], 'bumped'
  if not ours then
    of, barrier = epoch, 'P' -- rule ABSENT_IS_P
  elseif barrier == 'P' or position == 'P' then -- rule STICKY_P
    barrier = 'P'
  else
    local source, n = string.match(barrier, '^([^@]*@[^,]+:)(%d+)$')
    local new_source, new_n = string.match(position, '^([^@]*@[^,]+:)(%d+)$')
    if source and source == new_source and #n == #new_n and #n < 16 then
      if new_n - n > 0 then -- one term and source, numbers that a double holds: nearly always
        barrier = position
      end
    elseif string.match(position, '^[^@]*') ~= string.match(barrier, '^[^@]*') then
      barrier = 'P' -- rule TERM_BARRIERS_NOT_MERGED
    else
      other = position
    end
  end

elseif verb == 'open' then -- new_version, initial, ttl_ms
  if not ours then
    version, of, barrier = ARGV[3], epoch, ARGV[4]
  end
  ttl = ARGV[5]

elseif verb == 'resolve' then -- version, position, ttl_ms
  if not ours or version ~= ARGV[3] then -- rule RESOLVE_CAS
    return 'changed'
  end
  if barrier ~= 'P' and string.match(barrier, '^[^@]*') == string.match(ARGV[4], '^[^@]*') then
    return 'known' -- only P, or a barrier of another term, which counts as P
  end
  barrier, ttl, answer = ARGV[4], ARGV[5], 'resolved'

elseif verb == 'mark' then -- new_version, nonce, timeout_ms, server, connection, ttl_ms
  if not ours then
    version, of, barrier = ARGV[3], epoch, 'P'
  end
  nonce, timeout, ttl = ARGV[4], ARGV[5], ARGV[8]

elseif verb == 'withdraw' then -- nonce, ttl_ms
  nonce, ttl, answer = ARGV[3], ARGV[4], 'withdrawn'

elseif verb == 'name' then -- version, new_version, name
  if not ours then
    version, of, barrier = ARGV[4], epoch, '?'
  elseif version == ARGV[3] then
    version, barrier = ARGV[4], ARGV[5]
  end
  ttl = '0'

else
  return redis.error_reply('twotier: unknown verb')
end

-- The union of two barriers of one term ------------------------------------------------------------

if other then
  -- By bytes: what Lua's own < says of strings depends on the locale of the server.
  local function before(a, b)
    for i = 1, math.min(#a, #b) do
      local x, y = string.byte(a, i), string.byte(b, i)
      if x ~= y then
        return x < y
      end
    end
    return #a < #b
  end

  local highest, sources = {}, {}
  for _, text in ipairs({ barrier, other }) do
    for source, n in string.gmatch(string.match(text, '@(.*)$') or '', '([^,]+):(%d+)') do
      local m = highest[source]
      if not m then
        sources[#sources + 1] = source
      end
      -- Compared as text, since numbers may exceed what a double holds.
      if not m or #m < #n or (#m == #n and before(m, n)) then
        highest[source] = n
      end
    end
  end
  table.sort(sources, before)
  for i, source in ipairs(sources) do
    sources[i] = source .. ':' .. highest[source]
  end
  barrier = string.match(barrier, '^[^@]*') .. '@' .. table.concat(sources, ',')
end

-- Marks, and the tag as it is now -----------------------------------------------------------------

local mine = nonce and ' ' .. nonce .. ','
local from = mine and string.find(marks, mine, 1, true)
while from do
  local to = string.find(marks, ' ', from + #mine, true)
  marks = string.sub(marks, 1, from - 1) .. (to and string.sub(marks, to) or '')
  from = to and string.find(marks, mine, from, true)
end

local now
if timeout or (marks ~= '' and not answer) then
  local time = redis.call('TIME')
  now = time[1] .. string.sub('00000' .. time[2], -6, -4)
end
if timeout then
  marks = marks .. mine .. now + timeout .. ',' .. ARGV[6] .. ',' .. ARGV[7]
end

if not version then -- a withdrawal, and no tag of ours: it takes a mark away and makes nothing
  if marks == '' then
    redis.call('DEL', key)
  elseif marks ~= found then
    redis.call('SET', key, marks)
  end
  return answer
end

local text = 'T1 ' .. version .. ' ' .. of .. ' ' .. barrier .. marks
if marks ~= '' or ttl == '0' then -- a marked tag has no expiry: it must not be evicted
  redis.call('SET', key, text)
else
  redis.call('SET', key, text, 'PX', ttl)
end
if answer then
  return answer
end
return now and text .. '\n' .. now or text
