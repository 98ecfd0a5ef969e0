if obj.metadata.annotations == nil then
  obj.metadata.annotations = {}
end
-- Any new value asks once.
obj.metadata.annotations["chamber.dev/retry"] = os.date("!%Y-%m-%dT%XZ")
return obj
