/** What budgets have beyond limits, in Lua: money.ts line for line. A part of script.ts, which has what it uses before it. */
export const MONEY_SCRIPT = `
local function writtenBy(name)
  return tonumber(redis.call('HGET', KEYS[1], 'w:' .. name))
end
local function isWritten(name, at, till)
  local written = writtenBy(name)
  return not written or math.min(at, till) < written
end
local function noteTold(account)
  if not account.t then return end
  account.t[node] = now
  local nodes = 0
  for _ in pairs(account.t) do nodes = nodes + 1 end
  if nodes <= TELLERS then return end
  local stay = {}
  for name, at in pairs(account.t) do if not isWritten(name, at, now) then stay[name] = at end end
  account.t = stay
end
local function beginMoney(account, ask)
  if ask.known < 0 then return end
  account.u = math.max(0, ask.known - ask.forgiven)
  account.f, account.x, account.b, account.t, account.c, account.o = ask.forgiven, {}, boot, {}, 0, 0
  account.y, account.z, account.w, account.g = 0, 0, 0, 0
end
local function lapsedOf(account)
  local units = 0
  for _, one in ipairs(account.x or {}) do units = units + one[3] - one[4] end
  return units
end
local function turnMoney(account)
  if not account.x then return end
  local stay = {}
  for _, one in ipairs(account.x) do if now - (one[6] or 0) < SPENDING then stay[#stay + 1] = one end end
  account.x = stay
  account.u = lapsedOf(account)
  account.f, account.y, account.z, account.w, account.g = 0, 0, 0, 0, 0
end
local function keepLapsed(account, name, holding, at)
  if not account.x or holding[2] == holding[3] then return end
  account.x[#account.x + 1] = {name, holding[1], holding[2], holding[3], holding[4], at}
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
local function note(account, ended)
  account.y, account.z, account.o, account.c = now, account.u - lapsedOf(account), ended, 0
end
local function reckon(account, ask)
  local x = account.x
  if not x or ask.period ~= account.p then return end
  account.f = math.max(account.f, ask.forgiven)
  if missing == 0 then account.u = math.max(account.u, ask.past - account.f - account.h) end
  if #x == 0 or account.b ~= boot then return end
  local stay, over, ended = {}, 0, 0
  for _, one in ipairs(x) do
    if writtenBy(one[1]) then stay[#stay + 1] = one else
      over = over + one[3] - one[4]
      ended = ended + 1
    end
  end
  if ended == 0 then return end
  if account.y == 0 or account.o ~= ended then note(account, ended) end
  if account.c == 0 then
    local all = true
    for name, at in pairs(account.t) do all = all and isWritten(name, at, account.y) end
    if all then account.c = now elseif now - account.y >= NOTED then note(account, ended) end
  elseif ask.heard > account.c then
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
`;
