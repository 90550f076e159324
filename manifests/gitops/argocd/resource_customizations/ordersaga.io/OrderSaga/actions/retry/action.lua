-- spec.intervention, once: try the step that is stuck (or that waits for its next attempt) again, with a new budget.
-- An id acts once, so each needs a new one: the resourceVersion that the decision was made on is used nowhere else.
local status = obj.status or {}
local step = nil
for _, each in ipairs(status.steps or {}) do
  if step == nil and each.state == "CompensationFailed" then
    step = each.name
  end
end
if step == nil and status.nextAttemptTime ~= nil then
  step = status.currentStep
end
if step == nil then
  error("order " .. obj.spec.orderID .. ": no step is stuck or waiting, so there is nothing to retry", 0)
end

obj.spec.intervention = {
  id = "argocd-" .. obj.metadata.resourceVersion,
  action = "RetryNow",
  step = step,
  reason = "Retry now was pressed in Argo CD",
}
return obj
