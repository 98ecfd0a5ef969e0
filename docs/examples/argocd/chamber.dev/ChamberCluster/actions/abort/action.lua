if obj.metadata.annotations == nil then
  obj.metadata.annotations = {}
end
-- Any new value asks once.
obj.metadata.annotations["chamber.dev/abort"] = os.date("!%Y-%m-%dT%XZ")
return obj
