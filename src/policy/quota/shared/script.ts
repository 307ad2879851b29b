/** The shared store's part in Lua, for Redis 5 and later and Valkey: account.ts line for line, with the clock of the store. */

/** Values of each question in ARGV. */
export const ASK_FIELDS = 22;
/** Values that come before the first question. */
export const HEAD_FIELDS = 9;

/**
 * KEYS: state of all, nodes, then one account for each question. ARGV: node, store time and boot of its last answer, milliseconds
 * since then (or -1), lease time, missing after, forgotten after, a number for a store that is empty, what to do (`beat`,
 * `look`, `lease` or `leave`); then for a beat the nodes that it has last seen, for a lease its questions.
 * Answers: store time, boot, nodes, nodes missing; then for a beat the nodes' names, for a lease one line each.
 *
 * A clock of the store that goes back stands still here; one that runs ahead by more than a minute, as measured by the node that
 * asks, is held back by as much. All keys bear the same hash tag, so in a cluster they lie together.
 */
export const LEASE_SCRIPT = `
local SLOTS, UNKNOWN, SPARE, FRESH, WRITTEN = 64, 1000, 60000, 2000, 10000
local num = function(x) return string.format('%.17g', x) end
local node, seen, boot0, elapsed = ARGV[1], tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4])
local ttl, missAfter, forgetAfter, what = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7]), ARGV[9]
local time = redis.call('TIME')
local wall = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local state = redis.call('HMGET', KEYS[1], 'last', 'offset', 'boot')
local last, offset, boot = tonumber(state[1]), tonumber(state[2]) or 0, state[3]
if not boot then boot = ARGV[8] end
local now = wall + offset
if last then
  if boot0 == boot and elapsed >= 0 then
    local most = math.max(last, seen + elapsed)
    if now > most + SPARE then
      offset = offset - math.floor(now - most)
      now = wall + offset
    end
  end
  if now < last then
    offset = offset + last - now
    now = last
  end
end
redis.call('HSET', KEYS[1], 'last', num(now), 'offset', num(offset), 'boot', boot)
redis.call('PEXPIRE', KEYS[1], 3456000000)

if what == 'leave' then
  redis.call('ZREM', KEYS[2], node)
  return {num(now), boot}
end
if what == 'beat' or what == 'look' then
  if boot0 ~= boot then
    for i = 10, #ARGV do redis.call('ZADD', KEYS[2], 'NX', num(now - missAfter - 1), ARGV[i]) end
  end
  if what == 'beat' then redis.call('ZADD', KEYS[2], num(now), node) end
  redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', num(now - forgetAfter))
  redis.call('PEXPIRE', KEYS[2], forgetAfter)
end
local all = redis.call('ZCARD', KEYS[2])
local missing = redis.call('ZCOUNT', KEYS[2], '-inf', '(' .. num(now - missAfter))
local out = {num(now), boot, all, missing}
if what == 'beat' or what == 'look' then
  for _, name in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do out[#out + 1] = name end
  return out
end
local gone = all > 0 and missing / all or 0

local function misses(name)
  local beat = redis.call('ZSCORE', KEYS[2], name)
  return beat and tonumber(beat) < now - missAfter
end
local function beginMoney(account, ask)
  if ask.known < 0 then return end
  account.u = math.max(0, ask.known - ask.forgiven)
  account.f, account.x = ask.forgiven, {}
  account.y, account.z, account.w, account.g = 0, 0, 0, 0
end
local function turnMoney(account)
  if not account.x then return end
  account.x = {}
  account.f, account.y, account.z, account.w, account.g = 0, 0, 0, 0, 0
end
local function lapsedOf(account)
  local units = 0
  for _, one in ipairs(account.x or {}) do units = units + one[3] - one[4] end
  return units
end
local function keepLapsed(account, name, holding)
  if not account.x or holding[2] == holding[3] then return end
  account.x[#account.x + 1] = {name, holding[1], holding[2], holding[3], holding[4]}
  account.y = 0
end
local function restore(account, epoch)
  for i, one in ipairs(account.x or {}) do
    if one[1] == node and one[2] == epoch then
      table.remove(account.x, i)
      account.u = account.u - (one[3] - one[4])
      account.h = account.h + (one[3] - one[4])
      account.l = account.l - (one[3] - one[4])
      return {epoch, one[3], one[4], one[5], 0}
    end
  end
end
local function reckon(account, ask)
  local x = account.x
  if not x or ask.period ~= account.p then return end
  account.f = math.max(account.f, ask.forgiven)
  if missing == 0 then account.u = math.max(account.u, ask.past - account.f - account.h) end
  if #x == 0 then return end
  local stay, over = {}, 0
  for _, one in ipairs(x) do
    if misses(one[1]) then stay[#stay + 1] = one else over = over + one[3] - one[4] end
  end
  if #stay == #x then return end
  if account.y == 0 then
    account.y = now
    account.z = account.u - lapsedOf(account)
  elseif ask.age >= 0 and now - ask.age >= account.y + WRITTEN then
    account.u = account.u - math.max(0, over - math.max(0, ask.known - account.f - account.z))
    account.x = stay
    account.y = 0
  end
end
local function withheld(account, ask)
  if not ask.share then return 0 end
  if not account.g then return ask.limit * gone end
  if gone ~= account.g and ask.age >= 0 and ask.period == account.p then
    local left = math.max(0, ask.limit - math.max(0, ask.known - account.f))
    if gone > account.g then account.w = account.w + math.floor(left * (gone - account.g))
    else account.w = math.floor((account.w * gone) / account.g) end
    account.g = gone
  end
  return account.w
end

local function settle(account, ask, back, used, at)
  account.h = account.h - back
  if ask.type == 'b' then account.l = math.min(ask.burst - account.h, account.l + back - used)
  elseif ask.type == 'c' then account.u = account.u + used
  elseif ask.type == 's' and used > 0 then
    account.u = account.u + used
    local slot, s = math.floor(at / (ask.windowMs / SLOTS)), account.s
    local n = #s
    if n > 0 and s[n - 1] >= slot then s[n] = s[n] + used
    else s[n + 1] = slot s[n + 2] = used end
  end
end
local function hold(account, units)
  account.h = account.h + units
  account.l = account.l - units
end
local function endOf(slot, windowMs) return (slot + 1) * (windowMs / SLOTS) + windowMs end
local function bringUp(account, ask)
  if ask.type == 'b' then
    account.l = math.min(ask.burst - account.h, account.l + ((now - account.a) * ask.limit) / ask.windowMs)
    account.a = now
  elseif ask.type == 'c' then
    if ask.period > account.p then account.p = ask.period account.u = 0 turnMoney(account) end
  elseif ask.type == 's' then
    local s, first = account.s, 1
    while first < #s and endOf(s[first], ask.windowMs) <= now do
      account.u = account.u - s[first + 1]
      first = first + 2
    end
    if first > 1 then
      local rest = {}
      for i = first, #s do rest[#rest + 1] = s[i] end
      account.s = rest
    end
    if #account.s == 0 then account.u = 0 end
  end
end
local function freeOf(account, ask)
  if ask.type == 'b' then return account.l end
  if ask.type == 'h' then return ask.limit - account.h end
  return ask.limit - account.h - account.u
end
local function retryAfter(account, ask, units)
  if units > (ask.type == 'b' and ask.burst or ask.limit) then return math.huge end
  local free = freeOf(account, ask)
  if free >= units then return UNKNOWN end
  if ask.type == 'c' then return free + account.h + lapsedOf(account) >= units and UNKNOWN or math.max(1, ask.left) end
  if ask.type == 'b' then
    if units > ask.burst - account.h then return UNKNOWN end
    return math.max(1, math.ceil(((units - free) * ask.windowMs) / ask.limit))
  end
  if ask.type == 's' then
    for i = 1, #account.s, 2 do
      free = free + account.s[i + 1]
      if free >= units then return math.max(1, endOf(account.s[i], ask.windowMs) - now) end
    end
  end
  return UNKNOWN
end
local function resetOf(account, ask)
  if ask.type == 'c' then return ask.left end
  if ask.type == 'b' then return ((ask.burst - account.l) * ask.windowMs) / ask.limit end
  if ask.type == 'h' then return 0 end
  if account.h > 0 then return ask.windowMs end
  local n = #account.s
  return n == 0 and 0 or math.max(0, endOf(account.s[n - 1], ask.windowMs) - now)
end
local function aheadOf(ask, spare)
  local step = spare > ask.limit / 2 and ask.limit / 32 or ask.limit / 128
  local units = math.max(0, math.min(ask.wish, math.floor(math.min(step, spare / 4))))
  return units < ask.least and 0 or units
end
local function lapse(account, ask, name, at)
  local holding = account.n[name]
  account.n[name] = nil
  keepLapsed(account, name, holding)
  local rest = holding[2] - holding[3]
  settle(account, ask, rest, ask.type == 'h' and 0 or rest, at)
end
local function serve(account, ask)
  bringUp(account, ask)
  local lapsed = {}
  for name, holding in pairs(account.n) do if holding[5] <= now then lapsed[#lapsed + 1] = name end end
  table.sort(lapsed)
  for _, name in ipairs(lapsed) do lapse(account, ask, name, account.n[name][5]) end
  local holding = account.n[node]
  if holding and holding[1] ~= ask.epoch then
    if holding[1] > ask.epoch then return ask.granted, UNKNOWN, 0, 0 end
    lapse(account, ask, node, now)
    holding = nil
  end
  if not holding then
    holding = restore(account, ask.epoch)
    if holding then account.n[node] = holding end
  end
  if not holding then
    local anew = ask.known >= 0 and ask.again > 0
    holding = {ask.epoch, ask.granted, anew and ask.back or ask.heardBack, anew and ask.used or ask.heardUsed, 0}
    account.n[node] = holding
    hold(account, ask.granted - holding[3])
    if anew then account.u = math.max(account.u, ask.known - ask.forgiven)
    elseif ask.again > 0 then settle(account, ask, 0, ask.again, now) end
  elseif ask.granted > holding[2] then
    hold(account, ask.granted - holding[2])
    holding[2] = ask.granted
  end
  local back = math.max(0, math.min(ask.back, holding[2]) - holding[3])
  local used = math.max(0, ask.used - holding[4])
  if back > 0 or used > 0 then settle(account, ask, back, used, now) end
  holding[3] = holding[3] + back
  holding[4] = holding[4] + used
  reckon(account, ask)
  local free = math.floor(freeOf(account, ask) - withheld(account, ask))
  local units, wait = 0, 0
  if ask.need > 0 and free < ask.least then wait = retryAfter(account, ask, ask.least)
  else
    units = math.max(0, math.min(ask.need, free))
    if units == ask.need then units = units + aheadOf(ask, free - units) end
    hold(account, units)
    holding[2] = holding[2] + units
  end
  holding[5] = now + ttl
  return holding[2], wait, math.max(0, free - units), resetOf(account, ask)
end
local function keepMs(account, ask)
  local keep = 0
  if ask.type == 's' then keep = ask.windowMs + ask.windowMs / SLOTS
  elseif ask.type == 'c' then keep = ask.left
  elseif ask.type == 'b' then keep = ((ask.burst - account.l) * ask.windowMs) / ask.limit end
  return math.ceil(keep) + ttl + ((account.u > 0 or account.h > 0) and SPARE or 0)
end

for i = 3, #KEYS do
  local at = 10 + (i - 3) * ${ASK_FIELDS}
  local n = function(offset) return tonumber(ARGV[at + offset]) end
  local ask = {
    type = ARGV[at], limit = n(1), windowMs = n(2), burst = n(3), period = n(4), left = n(5), share = ARGV[at + 6] == '1',
    epoch = n(7), granted = n(8), back = n(9), used = n(10), heardBack = n(11), heardUsed = n(12), again = n(13),
    need = n(14), least = n(15), wish = n(16), known = n(18), past = n(19), forgiven = n(20), age = n(21)
  }
  local kept = redis.call('GET', KEYS[i])
  local home = ARGV[at + 17]
  local lost = home ~= '' and (home ~= boot or not kept)
  local money = ask.known >= 0
  local old = (lost or not kept) and (ask.age < 0 or ask.age > FRESH)
  if money and (old or (boot0 ~= '' and boot0 ~= boot)) then out[#out + 1] = 'unread'
  else
    local account
    if kept then account = cmsgpack.unpack(kept)
    else
      account = {h = 0, u = 0, s = {}, l = ask.burst, a = now, p = ask.period, n = {}}
      beginMoney(account, ask)
    end
    if not lost then ask.again = 0 elseif money then ask.again = 1 end
    local granted, wait, free, reset = serve(account, ask)
    redis.call('SET', KEYS[i], cmsgpack.pack(account), 'PX', string.format('%.0f', keepMs(account, ask)))
    local line = num(granted) .. ' ' .. (wait == math.huge and 'inf' or num(wait)) .. ' ' .. num(free) .. ' ' .. num(reset)
    out[#out + 1] = money and line .. ' ' .. num(account.u) or line
  end
end
return out
`;
