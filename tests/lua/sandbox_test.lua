-- What scripts have, and what they do not have.
local tests = {}

local function fails(fn, pattern)
  local ok, err = pcall(fn)
  assert(not ok, "it did not fail")
  assert(tostring(err):find(pattern), tostring(err))
end

local G = _G

tests["globals are strict"] = function()
  fails(function() return G.no_such_name end, "unknown global 'no_such_name'")
  fails(function() G.new_name = 1 end, "assignment to the global 'new_name'")
  fails(function() return G.coroutine end, "use paraph.task")
end

tests["dangerous libraries are not there"] = function()
  for _, name in ipairs { "os", "io", "debug", "package", "load", "loadfile", "dofile",
    "collectgarbage", "coroutine", "rawset" } do
    assert(rawget(G, name) == nil, name)
  end
  assert(string.dump == nil)
  fails(function() setmetatable({}, { __gc = function() end }) end, "__gc")
  assert(getmetatable(G) == false)
  fails(function() setmetatable(G, nil) end, "protected")
end

tests["require finds modules of the host and scripts, and nothing else"] = function()
  assert(require "paraph.json" == require "paraph.json")
  assert(type(require("cjson").encode) == "function")
  assert(type(require "lib.mustache") == "table")
  local none = { "no.such", "../routes", "/etc/passwd", "lib..mustache", "", "paraph.no" }
  for _, name in ipairs(none) do
    fails(function() require(name) end, "there is no module")
  end
end

tests["an error in a metamethod or message handler does not break the host"] = function()
  local odd = setmetatable({}, { __tostring = function() error("odd") end })
  fails(function() error(setmetatable({ message = "kept" }, nil)) end, "table")
  assert(not pcall(tostring, odd))
end

return tests
