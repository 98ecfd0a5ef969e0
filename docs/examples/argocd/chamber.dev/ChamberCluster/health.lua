-- A ChamberCluster says by conditions (kstatus words) how it is; what it waits for is status.message.
local function condition(kind)
  for _, found in ipairs(obj.status.conditions or {}) do
    if found.type == kind then
      return found.status == "True"
    end
  end
  return nil
end

local function health(status, message)
  return { status = status, message = message }
end

if obj.status == nil or obj.status.observedGeneration ~= obj.metadata.generation then
  return health("Progressing", "the operator has not looked at this spec yet")
end
local message = obj.status.message or ""
if condition("Stalled") then
  return health("Degraded", message)
end
-- A person has stopped it, or has asked to see a plan first.
if obj.status.reason == "Paused" or obj.status.reason == "DryRun" then
  return health("Suspended", message)
end
if not condition("RolloverComplete") then
  if message == "" then
    message = obj.status.step or ""
  end
  return health("Progressing", message)
end
if condition("Ready") == false then
  return health("Degraded", message)
end
return health("Healthy", "release " .. (obj.status.release or "") .. " runs, verified and alone")
