--- What differs between two texts, line by line.

local diff = {}

--- A line, or so many that are not shown.
---@class diff_row
---@field kind "same"|"removed"|"added"
---@field text? string
---@field count? integer

local CONTEXT = 3 -- lines that are the same, around those that differ

--- Whatever is compared, its rows fit into memory and on a page: those of each kind have so many
--- bytes, and a row has some of its own.
local ROOM = 150000
local ROW = 100
local LINES = ROOM // ROW

local CELLS = 250000 -- lines of the one times lines of the other, that are compared

-- --- texts ---------------------------------------------------------------------------------------

--- Each line with a break before it, and a last break.
local function framed(text)
  return text == "" and "\n" or "\n" .. text .. "\n"
end

--- How many lines "\na\nb" has, and the first of them.
local function count(lines)
  return (select(2, lines:gsub("\n", "")))
end

local function split(lines, most)
  local found = {}
  for line in lines:gmatch("\n([^\n]*)") do
    if #found == most then break end
    found[#found + 1] = line
  end
  return found
end

--- The largest number up to `most` that is so; all that are smaller are so, too.
local function largest(most, is_so)
  local low, high = 0, most
  while low < high do
    local middle = (low + high + 1) // 2
    if is_so(middle) then low = middle else high = middle - 1 end
  end
  return low
end

--- Of two texts with breaks around: the lines that both begin with, those that each has then, and
--- those that both end with. Nothing is split that is the same.
local function parts_of(old, new)
  local shorter = math.min(#old, #new)
  local first = largest(shorter, function(n) return old:sub(1, n) == new:sub(1, n) end)
  first = #old:sub(1, first):match("^.*\n") -- the break between two lines belongs to both sides
  local last = largest(shorter - first + 1, function(n) return old:sub(-n) == new:sub(-n) end)
  last = #old:sub(-last):match("\n.*$")
  return old:sub(1, first - 1), old:sub(first, -last - 1), new:sub(first, -last - 1),
    old:sub(-last, -2)
end

-- --- rows ----------------------------------------------------------------------------------------

local function skip(rows, kind, n)
  local last = rows[#rows]
  if last and last.kind == kind and last.count then
    last.count = last.count + n
  elseif n > 0 then
    rows[#rows + 1] = { kind = kind, count = n }
  end
end

local function add(rows, room, kind, lines, from, to)
  for i = from, to do
    room[kind] = room[kind] - ROW - #lines[i]
    if room[kind] < 0 then return skip(rows, kind, to - i + 1) end
    rows[#rows + 1] = { kind = kind, text = lines[i] }
  end
end

--- Lines between two that differ.
local function add_same(rows, room, lines, from, to)
  local left_out = math.max(0, to - from + 1 - 2 * CONTEXT)
  add(rows, room, "same", lines, from, to - left_out - CONTEXT)
  skip(rows, "same", left_out)
  add(rows, room, "same", lines, math.max(from, to - CONTEXT + 1), to)
end

local function add_first(rows, room, kind, text, most)
  local lines = split(text, most)
  add(rows, room, kind, lines, 1, #lines)
  skip(rows, kind, count(text) - #lines)
end

local function add_last(rows, room, kind, text)
  local last = text:match("^.*(" .. ("\n[^\n]*"):rep(CONTEXT) .. ")$") or text
  local lines = split(last, CONTEXT)
  skip(rows, kind, count(text) - #lines)
  add(rows, room, kind, lines, 1, #lines)
end

-- --- comparing -----------------------------------------------------------------------------------

--- lengths[i][j]: of the longest common subsequence of the lines behind i and behind j.
local function lengths_of(old, new)
  local lengths = { [#old + 1] = {} }
  for i = #old, 1, -1 do
    local row, below = {}, lengths[i + 1]
    for j = #new, 1, -1 do
      if old[i] == new[j] then
        row[j] = (below[j + 1] or 0) + 1
      else
        row[j] = math.max(below[j] or 0, row[j + 1] or 0)
      end
    end
    lengths[i] = row
  end
  return lengths
end

local function compare(rows, room, old, new)
  local lengths = lengths_of(old, new)
  local i, j = 1, 1
  while i <= #old and j <= #new do
    if old[i] == new[j] then
      local from = i
      repeat i, j = i + 1, j + 1 until i > #old or j > #new or old[i] ~= new[j]
      add_same(rows, room, old, from, i - 1)
    elseif (lengths[i + 1][j] or 0) >= (lengths[i][j + 1] or 0) then
      add(rows, room, "removed", old, i, i)
      i = i + 1
    else
      add(rows, room, "added", new, j, j)
      j = j + 1
    end
  end
  add(rows, room, "removed", old, i, #old)
  add(rows, room, "added", new, j, #new)
end

--- What rows may take, of all texts that are compared for a page.
---@return table<string, integer>
function diff.room()
  return { same = ROOM, removed = ROOM, added = ROOM }
end

--- The rows of both texts in order; none if they are the same. Of very long ones everything between
--- the first and the last line that differ is told as replaced.
---@param old_text string
---@param new_text string
---@param room table<string, integer>
---@return diff_row[] rows
function diff.lines(old_text, new_text, room)
  local rows = {}
  if old_text == new_text then return rows end
  local before, old, new, after = parts_of(framed(old_text), framed(new_text))
  local old_count, new_count = count(old), count(new)
  add_last(rows, room, "same", before)
  if math.max(old_count, new_count) <= LINES and old_count * new_count <= CELLS then
    compare(rows, room, split(old, LINES), split(new, LINES))
  else
    add_first(rows, room, "removed", old, LINES)
    add_first(rows, room, "added", new, LINES)
  end
  add_first(rows, room, "same", after, CONTEXT)
  return rows
end

return diff
