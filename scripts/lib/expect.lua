--- Expectations of tests: each raises, at the line of the test, when it is not met.

local expect = {}

local function show(value)
  if type(value) == "string" then return ("%q"):format(value) end
  if type(value) ~= "table" then return tostring(value) end
  local members = {}
  for name, member in pairs(value) do
    members[#members + 1] = tostring(name) .. " = " .. show(member)
  end
  table.sort(members)
  return "{ " .. table.concat(members, ", ") .. " }"
end

local function same(a, b)
  if type(a) ~= "table" or type(b) ~= "table" then return rawequal(a, b) or a == b end
  for name, member in pairs(a) do
    if not same(member, b[name]) then return false end
  end
  for name in pairs(b) do
    if a[name] == nil then return false end
  end
  return true
end

--- Equal, member by member.
---@param actual any
---@param wanted any
function expect.equal(actual, wanted)
  if not same(actual, wanted) then
    error(("got %s, wanted %s"):format(show(actual), show(wanted)), 2)
  end
end

--- `text` holds `part`, letter by letter.
---@param text string
---@param part string
function expect.holds(text, part)
  if not text:find(part, 1, true) then
    error(("%q is not in %q"):format(part, text), 2)
  end
end

---@param text string
---@param part string
function expect.lacks(text, part)
  if text:find(part, 1, true) then error(("%q is in %q"):format(part, text), 2) end
end

--- Nothing but an error with this code, and this field if one is given. Takes what a function
--- returned.
---@param code string
---@param field string?
---@param value any
---@param err paraph.err?
---@return paraph.err
function expect.refused(code, field, value, err)
  if value ~= nil then error("not refused, but got " .. show(value), 2) end
  if type(err) ~= "table" or err.code ~= code or (field and err.field ~= field) then
    error(("got %s, wanted the code %s, the field %s"):format(show(err), code, tostring(field)), 2)
  end
  return err
end

--- The call raises an error that holds `part`.
---@param part string
---@param f fun(...)
function expect.raises(part, f, ...)
  local ok, err = pcall(f, ...)
  if ok then error("nothing was raised; wanted: " .. part, 2) end
  if not tostring(err):find(part, 1, true) then
    error(("raised %s, wanted %s"):format(tostring(err), part), 2)
  end
end

--- Run `body` while `owner[name]` is another value.
---@param owner table
---@param name string
---@param value any
---@param body fun()
function expect.while_replaced(owner, name, value, body)
  local original = owner[name]
  owner[name] = value
  local ok, err = pcall(body)
  owner[name] = original
  if not ok then error(err, 0) end
end

return expect
