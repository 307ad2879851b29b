/** What budgets have beyond limits, in Lua: money.ts line for line. A part of script.ts, which has what it uses before it. */
export const MONEY_SCRIPT = `
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
`;
