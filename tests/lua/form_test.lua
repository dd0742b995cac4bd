local expect = require "lib.expect"
local form = require "lib.form"

--- { what is posted, the fields }
local cases = {
  [""] = {},
  ["a=1&b=2"] = { a = "1", b = "2" },
  ["a=1&a=2"] = { a = "2" },
  ["a=&b"] = { a = "" },
  ["a=b=c&&=d"] = { a = "b=c", [""] = "d" },
  ["a+b=c+d%2B%26%3D"] = { ["a b"] = "c d+&=" },
  ["a=%"] = { a = "%" },
  ["a=%4"] = { a = "%4" },
  ["a=%zz%41"] = { a = "%zzA" },
  ["a=x%0D%0Ay%0Az%0D"] = { a = "x\ny\nz\n" },
  ["a=%C3%BC"] = { a = "ü" },
}

local tests = {}

for text, fields in pairs(cases) do
  tests["form " .. text] = function() expect.equal(form.decode(text), fields) end
end

tests["types"] = function()
  assert(form.is_type("application/x-www-form-urlencoded"))
  assert(form.is_type(" Application/X-WWW-Form-Urlencoded; charset=utf-8"))
  assert(not form.is_type("application/x-www-form-urlencoded2"))
  assert(not form.is_type("application/json") and not form.is_type(nil))
end

return tests
