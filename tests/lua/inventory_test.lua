--- What `paraph check` finds odd, and what it lists: tables of cases.

local expect = require "lib.expect"
local inventory = require "lib.inventory"
local limits = require "policy.limits"
local odd = require "lib.odd"
local review = require "policy.review"
local route_pattern = require "lib.route_pattern"
local source = require "lib.source"

local tests = {}

-- --- trees ---------------------------------------------------------------------------------------

local SHIPPED = { "access.lua", "jobs.lua", "routes.lua", "settings.lua", "api/drafts.lua",
  "lib/rules.lua", "policy/compose.lua", "policy/limits.lua", "policy/opens.lua",
  "policy/pixel.lua", "policy/review.lua", "policy/review_test.lua" }

--- A tree of these shipped scripts, and an overlay: its scripts and templates by name.
local function tree_of(scripts, templates)
  local tree = { scripts = {}, templates = {}, variables = {}, scripts_dir = "my" }
  for _, name in ipairs(SHIPPED) do tree.scripts[name] = { shipped = true, shadows = false } end
  for name, text in pairs(scripts or {}) do
    tree.scripts["shipped/" .. name] = tree.scripts[name]
    tree.scripts[name] =
      { shipped = false, shadows = tree.scripts[name] ~= nil, text = text }
  end
  for name, text in pairs(templates or {}) do
    tree.templates[name] = { shipped = false, shadows = false, text = text }
  end
  return tree
end

--- The odd lines, as "subject: sentence".
local function odd_of(tree)
  local said = {}
  for i, line in ipairs(odd.lines(tree)) do
    expect.equal(line[1], "odd")
    said[i] = line[2] .. ": " .. line[3]
  end
  return said
end

-- --- words ---------------------------------------------------------------------------------------

local uses = {
  ["a definition alone"] = { "function m.it(x) return x end", 1, 0 },
  ["a field that is set"] = { "m.it = f{}", 1, 0 },
  ["a member of a table"] = { "return { it = it }", 1, 0 },
  ["a local function that is handed on"] = { "local function it() end return {it = it}", 2, 0 },
  ["a call"] = { "local function it() end it()", 1, 1 },
  ["a method"] = { "function m:it() end m:it()", 1, 1 },
  ["a comparison"] = { "if m.it == 1 then end", 0, 1 },
  ["a comment"] = { "--[==[ it() ]] ]==] x() -- it()\n --[[it]]", 0, 0 },
  ["a string"] = { [[local a, b = "it()\"it()", 'it' .. [=[ it() ]=] ]], 0, 0 },
  ["a part of a name"] = { "bit(item, _it, it2)", 0, 0 },
}

for name, case in pairs(uses) do
  tests["names in a source: " .. name] = function()
    expect.equal({ source.count(source.words(case[1]), "it") }, { case[2], case[3] })
  end
end

local computed = {
  ['local a = require "lib.a"'] = false,
  ['local a = require("lib.a").b'] = false,
  ["local a = require 'lib.a'.b"] = false,
  ["local a = require(name)"] = true,
  ['local a = require("lib." .. name)'] = true,
  ["local need = require"] = true,
}

for text, wanted in pairs(computed) do
  tests["a module's name that is made up: " .. text] = function()
    expect.equal(source.requires_computed(source.words(text)), wanted)
  end
end

-- --- routes --------------------------------------------------------------------------------------

local faults = {
  { "/", nil }, { "/drafts/{id}", nil }, { "/drafts/{id}/x{name}", nil },
  { "/{a}/{b}/{a}", "two parameters {a}" }, { "/{a}.json", "matches nothing" },
  { "/{a", "not closed" }, { "/{a}{b}", "matches nothing" },
  { "/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}/{i}", "more than 8" },
}

for _, case in ipairs(faults) do
  tests["what is wrong with the pattern " .. case[1]] = function()
    local why = route_pattern.fault(case[1])
    if case[2] then expect.holds(why, case[2]) else expect.equal(why, nil) end
  end
end

--- { earlier, later, does the first take all of the second }
local covering = {
  { "/a/{x}", "/a/b", true }, { "/a/{x}", "/a/{y}", true }, { "/a/b", "/a/{x}", false },
  { "/a/{x}", "/a/", false }, { "/a/{x}", "/a/b/c", false }, { "/{x}/b", "/a/{y}", false },
  { "/{x}/{y}", "/a/{z}", true }, { "/a{x}", "/ab", true }, { "/a{x}", "/a", false },
  { "/a{x}", "/ab{y}", true }, { "/ab{x}", "/a{y}", false }, { "/a", "/a", true },
}

for _, case in ipairs(covering) do
  tests[("does %s take all of %s"):format(case[1], case[2])] = function()
    expect.equal(route_pattern.covers({ "GET", case[1] }, { "GET", case[2] }), case[3])
  end
end

tests["a route of another method or role takes nothing"] = function()
  local function covers(a, b)
    a[1], a[2] = a[1] or "GET", "/{x}"
    b[1], b[2] = b[1] or "GET", "/a"
    return route_pattern.covers(a, b)
  end
  expect.equal(covers({ "POST" }, {}), false)
  expect.equal(covers({ serve = "tracker" }, {}), false)
  expect.equal(covers({}, { serve = "all" }), false)
  expect.equal(covers({ serve = "all" }, { serve = "tracker" }), true)
  expect.equal(covers({}, { serve = "gateway" }), true)
end

-- --- the odd -------------------------------------------------------------------------------------

--- { scripts of the overlay, what is said }
local scripts = {
  ["nothing, of an overlay as it should be"] = { {
    ["policy/review.lua"] = 'local lists = require "lib.lists"\nreturn { decide = lists.decide }',
    ["policy/review_test.lua"] = "return {}",
    ["lib/lists.lua"] = "return { decide = function() end }",
    ["lib/lists_test.lua"] = "return {}",
    ["stubs/letter.lua"] = "---@meta\n---@class mine",
    ["tests/everything_test.lua"] = "return {}",
  }, {} },
  ["a script that nothing requires"] = { { ["lib/lists.lua"] = "return {}" },
    { "lib/lists.lua: nothing requires it, and it shadows nothing" } },
  ["a misspelt policy"] = { { ["policy/reveiw.lua"] = "return {}" },
    { "policy/reveiw.lua: nothing requires it, and it shadows nothing: "
      .. "did you mean policy/review.lua?" } },
  ["nothing, where names are made up"] = { {
    ["lib/lists.lua"] = "return {}",
    ["routes.lua"] = 'return require("lib." .. "lists")',
  }, {} },
  ["a test of nothing"] = { { ["policy/reviews_test.lua"] = "return {}" },
    { "policy/reviews_test.lua: there is no policy/reviews.lua: "
      .. "did you mean policy/review.lua?" } },
  ["a policy without a test"] = { { ["policy/review.lua"] = "return {}" },
    { "policy/review.lua: has no test (policy/review_test.lua is about the shipped one)" } },
}

for name, case in pairs(scripts) do
  tests["odd about scripts: " .. name] = function()
    expect.equal(odd_of(tree_of(case[1])), case[2])
  end
end

local NO_REVIEW_TEST =
  "policy/review.lua: has no test (policy/review_test.lua is about the shipped one)"

--- { the text of policy/review.lua, which has a function `descide`; is that odd? }
local misspelt = {
  { "local review = {}\nfunction review.descide() end\nreturn review", true },
  { 'return { descide = require "lib.rules".first {} }', true },
  { "local function descide() end\nreturn { descide = descide }", true },
  { "local function descide() end\nreturn { descide = descide, decide = go(descide) }", false },
  { "local review = {}\nfunction review.decide() return review.descide() end\n"
    .. "function review.descide() end\nreturn review", false },
  { 'local all = {}\nall["des" .. "cide"] = f\nreturn all', false },
}

for i, case in ipairs(misspelt) do
  tests["a misspelt hook: " .. i] = function()
    expect.while_replaced(review, "descide", function() end, function()
      local said = odd_of(tree_of { ["policy/review.lua"] = case[1],
        ["lib/helper_test.lua"] = "review.descide()", ["lib/helper.lua"] = "---@meta" })
      if not case[2] then return expect.equal(said, { NO_REVIEW_TEST }) end
      expect.equal(#said, 2)
      expect.holds(said[1], "policy/review.lua: nothing calls review.descide (inventory_test.lua:")
      expect.holds(said[1], "): did you mean decide?")
    end)
  end
end

tests["a function that is like no hook has no suggestion, and a list no names"] = function()
  expect.while_replaced(limits, "everything", function() end, function()
    limits[1] = "unnamed"
    local said = odd_of(tree_of { ["policy/limits.lua"] = "function limits.everything() end" })
    expect.equal(#said, 1)
    limits[1] = nil
    expect.lacks(said[1], "did you mean")
  end)
end

tests["odd about templates"] = function()
  local tree = tree_of({ ["routes.lua"] = 'templates.render("named")' }, {
    ["other.mustache"] = "x", ["named.mustache"] = "x",
    ["pages/start.mustache"] = "x", ["mail/note.mustache"] = "x",
  })
  expect.equal(odd_of(tree),
    { "other.mustache: no template includes it, and it is none of mail/ or pages/" })
end

tests["odd about variables and directories"] = function()
  local tree = tree_of()
  tree.variables, tree.templates_dir = { "POLICY_MOST" }, "forms"
  expect.equal(odd_of(tree), {
    "POLICY_MOST: is set, but settings.lua declares no such setting",
    "SCRIPTS_DIR: there is no .lua file below my",
    "TEMPLATES_DIR: there is no .mustache file below forms",
  })
end

-- --- what is in force ----------------------------------------------------------------------------

tests["every hook is listed with its origin and place"] = function()
  local lines = {}
  for _, line in ipairs(inventory.lines(tree_of { ["policy/review.lua"] = "return {}" })) do
    lines[line[2]] = line
  end
  local opens = lines["opens.classify"]
  expect.equal(opens[1], "ok")
  expect.holds(opens[3], "shipped  policy/opens.lua:")
  expect.holds(lines["review.decide"][3], "overlay  policy/review.lua:")
  expect.equal(lines["access.lua"][3], "shipped")
  expect.equal(lines["review.decide"][4], nil)
  expect.while_replaced(review, "decide", function() end, function()
    for _, line in ipairs(inventory.lines(tree_of { ["policy/review.lua"] = "return {}" })) do
      if line[2] == "review.decide" then
        expect.holds(line[3], "overlay  inventory_test.lua:")
        expect.equal(line[4], "policy/review.lua of the overlay had it made there")
      end
    end
  end)
end

return tests
