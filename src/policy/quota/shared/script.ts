/** The shared store's part in Lua, for Redis 5 and later and Valkey: account.ts line for line, with the clock of the store. */
import { DEBT_WINDOWS } from '../counter.ts';
import { MONEY_SCRIPT } from './moneyscript.ts';

/** Values of each question in ARGV. */
export const ASK_FIELDS = 23;
/** Values that come before the first question. */
export const HEAD_FIELDS = 10;

/**
 * KEYS: state of all, nodes, then one account for each question. ARGV: node, store time and boot of its last answer, milliseconds
 * since then (or -1), lease time, missing after, forgotten after, a number for a store that is empty, what to do (`beat`,
 * `look`, `lease` or `leave`), and until when (time of the store) all that it told is in the ledger: -1 where it has no budgets, and for who
 * leaves 1 where all it has used is there, else 0; then for a beat the nodes that it has last seen, for a lease its questions.
 * Answers: store time, boot, nodes, nodes missing; then for a beat the nodes' names, for a lease one line each.
 *
 * A clock of the store that goes back stands still here; one that runs ahead by more than a minute, as measured by the node that
 * asks, is held back by as much. All keys bear the same hash tag, so in a cluster they lie together.
 */
export const LEASE_SCRIPT = `
local SLOTS, UNKNOWN, SPARE, FRESH, NOTED, TELLERS = 64, 1000, 60000, 2000, 10000, 8
local SPENDING, DEBTS = 3600000, ${DEBT_WINDOWS}
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
  if ARGV[10] == '1' then redis.call('HDEL', KEYS[1], 'w:' .. node) end
  return {num(now), boot}
end
if ARGV[10] ~= '-1' then redis.call('HSET', KEYS[1], 'w:' .. node, ARGV[10]) end
if what == 'beat' or what == 'look' then
  if what == 'look' then
    local all = redis.call('HGETALL', KEYS[1])
    for i = 1, #all, 2 do
      local written = string.sub(all[i], 1, 2) == 'w:' and tonumber(all[i + 1]) or 0
      if written > 0 and written < now - 3456000000 then redis.call('HDEL', KEYS[1], all[i]) end
    end
  end
  if boot0 ~= boot then
    for i = 11, #ARGV do redis.call('ZADD', KEYS[2], 'NX', num(now - missAfter - 1), ARGV[i]) end
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

${MONEY_SCRIPT}
local function count(account, ask, units, at)
  account.u = account.u + units
  local slot, s = math.floor(at / (ask.windowMs / SLOTS)), account.s
  local n = #s
  if n > 0 and s[n - 1] >= slot then s[n] = s[n] + units
  else s[n + 1] = slot s[n + 2] = units end
end
local function overdraw(account, ask, used, beyond, at)
  local before, room = account.d or 0, ask.limit - account.h - account.u
  local owed = math.max(0, math.min(beyond, used + before - room))
  local debt = math.max(0, math.min(before + owed, ask.limit * DEBTS))
  local paid = math.max(0, math.min(debt, room - (used - owed)))
  account.d = debt > paid and debt - paid or nil
  if used - owed + paid > 0 then count(account, ask, used - owed + paid, at) end
end
local function settle(account, ask, back, used, at)
  account.h = account.h - back
  if ask.type == 'b' then account.l = math.min(ask.burst - account.h, account.l + back - used)
  elseif ask.type == 'c' then account.u = account.u + used
  elseif ask.type ~= 's' then return
  elseif used > back or account.d then overdraw(account, ask, used, used - back, at)
  elseif used > 0 then count(account, ask, used, at) end
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
      local units = s[first + 1]
      account.u = account.u - units
      if account.d then
        local paid = math.min(units, account.d)
        account.d = account.d > paid and account.d - paid or nil
        account.u = account.u + paid
        s[#s + 1] = s[first] + SLOTS + 1
        s[#s + 1] = paid
      end
      first = first + 2
    end
    if first > 1 then
      local rest = {}
      for i = first, #s do rest[#rest + 1] = s[i] end
      account.s = rest
    end
    if #account.s == 0 then
      account.u = 0
      if account.h <= 0 then account.d = nil end
    end
  end
end
local function freeOf(account, ask)
  if ask.type == 'b' then return account.l end
  if ask.type == 'h' then return ask.limit - account.h end
  return ask.limit - account.h - account.u - (account.d or 0)
end
local function untilGone(account, ask, units)
  local u, d, s = account.u, account.d or 0, account.s
  local rounds = d > 0 and u > 0 and math.ceil(units / u) - 1 or 0
  if rounds > 0 and units > u + d then return UNKNOWN end
  local gone = rounds * u
  for i = 1, #s, 2 do
    gone = gone + s[i + 1]
    if gone >= units then return math.max(1, endOf(s[i] + rounds * (SLOTS + 1), ask.windowMs) - now) end
  end
  return UNKNOWN
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
  return ask.type == 's' and untilGone(account, ask, units - free) or UNKNOWN
end
local function resetOf(account, ask)
  if ask.type == 'c' then return ask.left end
  if ask.type == 'b' then return ((ask.burst - account.l) * ask.windowMs) / ask.limit end
  if ask.type == 'h' then return 0 end
  if account.h > 0 then return ask.windowMs end
  if account.d then return untilGone(account, ask, account.u + account.d) end
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
  keepLapsed(account, name, holding, at)
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
  if used > 0 then noteTold(account) end
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
  if ask.type == 's' then keep = (ask.windowMs + ask.windowMs / SLOTS) * (account.d and DEBTS + 2 or 1)
  elseif ask.type == 'c' then keep = ask.left
  elseif ask.type == 'b' then keep = ((ask.burst - account.l) * ask.windowMs) / ask.limit end
  return math.ceil(keep) + ttl + ((account.u > 0 or account.h > 0) and SPARE or 0)
end

for i = 3, #KEYS do
  local at = 11 + (i - 3) * ${ASK_FIELDS}
  local n = function(offset) return tonumber(ARGV[at + offset]) end
  local ask = {
    type = ARGV[at], limit = n(1), windowMs = n(2), burst = n(3), period = n(4), left = n(5), share = ARGV[at + 6] == '1',
    epoch = n(7), granted = n(8), back = n(9), used = n(10), heardBack = n(11), heardUsed = n(12), again = n(13),
    need = n(14), least = n(15), wish = n(16), known = n(18), past = n(19), forgiven = n(20), age = n(21), heard = n(22)
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
