local diff = require "lib.diff"
local expect = require "lib.expect"
local testing = require "paraph.testing"

local MARKS = { same = " ", removed = "-", added = "+" }

--- Each row as a line with its mark; those that are not shown as their number, with theirs.
local function told(old, new, room)
  local words = {}
  for i, row in ipairs(diff.lines(old, new, room or diff.room())) do
    words[i] = MARKS[row.kind] .. (row.text or row.count .. "x")
  end
  return table.concat(words, "|")
end

--- { old, new, rows }
local cases = {
  { "", "", "" },
  { "a\nb", "a\nb", "" },
  { "", "a", "+a" },
  { "a", "", "-a" },
  { "", "\n", "+|+" },
  { "a\nb\nc", "a\nx\nc", " a|-b|+x| c" },
  { "a\nb\nc\nd", "b\nd\ne", "-a| b|-c| d|+e" },
  { "a\na", "a\na\na", " a| a|+a" },
  { "a\n", "a", " a|-" },
  { "ab\nab", "ac\nab", "-ab|+ac| ab" },
  { "b\na", "x\nbb\na", "-b|+x|+bb| a" },
  { "1\n2\n3\n4\n5\na", "1\n2\n3\n4\n5\nb", " 2x| 3| 4| 5|-a|+b" },
  { "a\n1\n2\n3\n4\n5", "b\n1\n2\n3\n4\n5", "-a|+b| 1| 2| 3| 2x" },
  { "a\n1\n2\n3\n4\n5\n6\na", "b\n1\n2\n3\n4\n5\n6\nb",
    "-a|+b| 1| 2| 3| 4| 5| 6|-a|+b" },
  { "a\n1\n2\n3\n4\n5\n6\n7\n8\na", "b\n1\n2\n3\n4\n5\n6\n7\n8\nb",
    "-a|+b| 1| 2| 3| 2x| 6| 7| 8|-a|+b" },
}

local tests = {
  rows = testing.cases(cases, function(case)
    expect.equal(told(case[1], case[2]), case[3])
  end),
}

--- How many rows there are, and how many lines of each kind they tell of.
local function sums_of(rows)
  local sums = { same = 0, removed = 0, added = 0 }
  for _, row in ipairs(rows) do sums[row.kind] = sums[row.kind] + (row.count or 1) end
  return sums, #rows
end

local function numbered(letter, n)
  local lines = {}
  for i = 1, n do lines[i] = letter .. i end
  return "first\n" .. table.concat(lines, "\n") .. "\nlast"
end

local breaks = ("\n"):rep(500000)

tests["of very long texts the rows are few, and tell of every line"] = testing.cases({
  { numbered("o", 100000), numbered("n", 50000), same = 2, removed = 100000, added = 50000 },
  { numbered("o", 20000), "first\nlast", same = 2, removed = 20000, added = 0 },
  { breaks .. "a" .. breaks, breaks .. "b" .. breaks, same = 1000000, removed = 1, added = 1 },
  { breaks, "a" .. breaks .. "b", same = 0, removed = 500001, added = 500001 },
  { ("x"):rep(1000000), ("y"):rep(1000000), same = 0, removed = 1, added = 1 },
}, function(row)
  local sums, n = sums_of(diff.lines(row[1], row[2], diff.room()))
  expect.equal(sums, { same = row.same, removed = row.removed, added = row.added })
  assert(n < 4000, n)
end)

tests["what there is room for is shown, of all texts together"] = function()
  local room = diff.room()
  local long = ("x"):rep(100000)
  expect.equal(told("", long, room), "+" .. long)
  expect.equal(told("a", long, room), "-a|+1x")
  expect.equal(told("a", "b", room), "-a|+1x")
end

return tests
