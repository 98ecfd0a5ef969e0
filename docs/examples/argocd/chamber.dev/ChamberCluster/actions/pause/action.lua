if obj.metadata.annotations == nil then
  obj.metadata.annotations = {}
end
obj.metadata.annotations["chamber.dev/paused"] = "true"
return obj
