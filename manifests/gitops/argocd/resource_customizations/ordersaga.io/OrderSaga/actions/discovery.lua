-- Each action is shown always, and can be pressed where the API server would accept it and it would change something.
local status = obj.status or {}
local wanted = obj.spec.state or "Active"

-- A finished saga's spec is frozen; one that is being deleted is undone already.
local over = status.phase == "Completed" or status.phase == "Compensated" or obj.metadata.deletionTimestamp ~= nil
local rolling_back = status.failure ~= nil or wanted == "Cancelled"
local confirmed = false
local stuck = false
for _, step in ipairs(status.steps or {}) do
  if step.name == "confirmation" and step.state == "Succeeded" then
    confirmed = true
  end
  if step.state == "CompensationFailed" then
    stuck = true
  end
end
local waiting = status.nextAttemptTime ~= nil and status.currentStep ~= nil

return {
  retry = {
    displayName = "Retry now",
    iconClass = "fa fa-fw fa-redo",
    disabled = over or not (stuck or waiting),
  },
  suspend = {
    displayName = "Suspend",
    iconClass = "fa fa-fw fa-pause",
    disabled = over or rolling_back or wanted == "Suspended",
  },
  resume = {
    displayName = "Resume",
    iconClass = "fa fa-fw fa-play",
    disabled = over or wanted ~= "Suspended",
  },
  cancel = {
    displayName = "Cancel the order",
    iconClass = "fa fa-fw fa-ban",
    disabled = over or rolling_back or confirmed,
  },
}
