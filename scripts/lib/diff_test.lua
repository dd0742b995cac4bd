local diff = require "lib.diff"
local expect = require "lib.expect"
local testing = require "paraph.testing"

local MARKS = { same = " ", removed = "-", added = "+" }

local function told(old, new)
  local rows, differs = diff.lines(old, new)
  local words = {}
  for i, row in ipairs(rows) do words[i] = MARKS[row.kind] .. row.text end
  return table.concat(words, "|"), differs
end

--- { old, new, rows, whether they differ }
local cases = {
  { "", "", "", false },
  { "a\nb", "a\nb", " a| b", false },
  { "", "a", "+a", true },
  { "a", "", "-a", true },
  { "a\nb\nc", "a\nx\nc", " a|-b|+x| c", true },
  { "a\nb\nc\nd", "b\nd\ne", "-a| b|-c| d|+e", true },
  { "a\na", "a\na\na", " a| a|+a", true },
  { "a\n", "a", " a|-", true },
}

local tests = {
  rows = testing.cases(cases, function(case)
    local rows, differs = told(case[1], case[2])
    expect.equal({ rows, differs }, { case[3], case[4] })
  end),
}

tests["long texts are compared in bounded time, and lose nothing"] = function()
  local old, new = {}, {}
  for i = 1, 20000 do old[i], new[i] = "o" .. i, "n" .. i end
  old[1], new[1], old[20000], new[20000] = "first", "first", "last", "last"
  local rows = diff.lines(table.concat(old, "\n"), table.concat(new, "\n"))
  expect.equal(#rows, 2 + 2 * 19998)
  expect.equal({ rows[1].kind, rows[2].kind, rows[#rows - 1].kind, rows[#rows].kind },
    { "same", "removed", "added", "same" })
end

return tests
