local annotations = obj.metadata.annotations or {}
local status = obj.status or {}
local paused = annotations["chamber.dev/paused"] == "true"
local stalled = false
for _, found in ipairs(status.conditions or {}) do
  if found.type == "Stalled" and found.status == "True" then
    stalled = true
  end
end
-- Once Retire has begun the only way is forward. A revocation is one-way, and left to `kubectl chamber revoke`, which asks.
local can_return = status.rollover ~= nil and status.rollover.retireBegunAt == nil
return {
  pause = { disabled = paused },
  resume = { disabled = not paused },
  abort = { disabled = not can_return },
  retry = { disabled = not stalled },
}
