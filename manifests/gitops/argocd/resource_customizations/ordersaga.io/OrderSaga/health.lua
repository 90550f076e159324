-- The conditions of an OrderSaga follow kstatus: Reconciling while work goes on, Stalled when it has ended without
-- success, Ready when all of the order has happened. Only the base library is used: Argo CD gives no other.
local status = obj.status
if status == nil or status.conditions == nil or status.observedGeneration ~= obj.metadata.generation then
  return { status = "Progressing", message = "Waiting for the operator" }
end

local conditions = {}
for _, condition in ipairs(status.conditions) do
  conditions[condition.type] = condition
end

local function is_true(name)
  return conditions[name] ~= nil and conditions[name].status == "True"
end

local ready = conditions.Ready or {}
local message = ready.message or ""
if ready.reason ~= nil then
  message = ready.reason .. ": " .. message
end
-- What a person should know although the order goes on, or is complete.
for _, name in ipairs({ "ParticipantError", "CancelRefused", "CompletedWithWarning" }) do
  if is_true(name) then
    message = message .. " (" .. name .. ": " .. conditions[name].message .. ")"
  end
end

local health = "Progressing"
if is_true("Stalled") then
  health = "Degraded"
elseif is_true("Reconciling") then
  health = "Progressing"
elseif is_true("Ready") then
  health = "Healthy"
elseif ready.reason == "Suspended" then
  health = "Suspended"
end
return { status = health, message = message }
