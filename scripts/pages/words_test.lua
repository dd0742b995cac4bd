local expect = require "lib.expect"
local words = require "pages.words"

--- The directives of a format: "%d of %s" has "%d%s".
local function directives_of(text)
  local found = {}
  for directive in text:gmatch("%%[^%a%%]*[%a%%]") do
    if directive ~= "%%" then found[#found + 1] = directive end
  end
  return table.concat(found)
end

local function parts_of(text)
  local found = {}
  for name in text:gmatch("{(%l+)}") do found[#found + 1] = name end
  table.sort(found)
  return found
end

local function names_of(texts)
  local names = {}
  for name in pairs(texts) do names[#names + 1] = name end
  table.sort(names)
  return names
end

local function in_every_language(check)
  for language, texts in pairs(words) do
    for name, text in pairs(texts) do check(text, ("%s of '%s'"):format(name, language)) end
  end
end

local tests = {}

tests["every language has every word, and no other"] = function()
  for _, texts in pairs(words) do expect.equal(names_of(texts), names_of(words.en)) end
end

tests["the same directives in the same order"] = function()
  in_every_language(function(text, where)
    local name = where:match("^%S+")
    expect.equal({ name, directives_of(text) }, { name, directives_of(words.en[name]) })
    expect.equal({ name, parts_of(text) }, { name, parts_of(words.en[name]) })
  end)
end

tests["each is a text, and none is empty"] = function()
  in_every_language(function(text, where)
    expect.equal({ where, type(text) }, { where, "string" })
    expect.equal({ where, text:find("%S") ~= nil }, { where, true })
  end)
end

tests["formats fill in"] = function()
  local given = { d = 7, s = "x" }
  in_every_language(function(text, where)
    local values = {}
    for kind in directives_of(text):gmatch("%%[^%a]*(%a)") do
      values[#values + 1] = given[kind] or error(where .. ": neither %d nor %s")
    end
    if #values > 0 then expect.equal(text:format(table.unpack(values)):find("%%[ds]"), nil) end
  end)
end

return tests
