--- The official specification (tests/mustache-spec), case by case.

local json = require "paraph.json"
local mustache = require "lib.mustache"
local testing = require "paraph.testing"

local FILES = {
  "comments", "delimiters", "interpolation", "inverted", "partials", "sections",
  "~dynamic-names", "~inheritance",
}

local function render(case)
  assert(mustache.check(case.template, "template") == nil)
  local function find_partial(name)
    local source = case.partials and case.partials[name]
    return source and assert(mustache.compile(source, name))
  end
  return assert(mustache.compile(case.template, "template")):render(case.data, find_partial)
end

local function run_file(file)
  local spec = assert(json.decode(testing.read_file("../mustache-spec/" .. file)))
  local failures = {}
  for _, case in ipairs(spec.tests) do
    local ok, got = pcall(render, case)
    if not ok or got ~= case.expected then
      failures[#failures + 1] = ("%s: expected %q, got %q"):format(case.name, case.expected, got)
    end
  end
  print(("%s: %d passed"):format(file, #spec.tests - #failures))
  assert(#spec.tests > 0, file .. " has no cases")
  assert(#failures == 0, table.concat(failures, "\n"))
end

local tests = {}
for _, name in ipairs(FILES) do
  local file = name .. ".json"
  tests[file] = function() run_file(file) end
end
return tests
