--- `return fail("draft_not_found", "there is no such draft")`: nil and a paraph.err.

---@param code string          one of the closed list in `core/err.h`
---@param message string       one sentence for a person
---@param field? string        the request field at fault
---@param details? table<string, any>  further members of the error answer
---@return nil
---@return paraph.err
return function(code, message, field, details)
  return nil, { code = code, message = message, field = field, details = details }
end
