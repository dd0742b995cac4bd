--- What differs between two texts, line by line.

local diff = {}

---@class diff_row
---@field kind "same"|"removed"|"added"
---@field text string

local CELLS = 250000 -- lines of the one times lines of the other, that are compared

local function lines_of(text)
  local lines = {}
  if text == "" then return lines end
  for line in (text .. "\n"):gmatch("(.-)\n") do lines[#lines + 1] = line end
  return lines
end

local function add(rows, kind, lines, from, to)
  for i = from, to do rows[#rows + 1] = { kind = kind, text = lines[i] } end
end

--- lengths[i][j]: of the longest common subsequence of the lines behind i and behind j.
local function lengths_of(old, new, first, old_last, new_last)
  local lengths = { [old_last + 1] = {} }
  for i = old_last, first, -1 do
    local row, below = {}, lengths[i + 1]
    for j = new_last, first, -1 do
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

local function compare(rows, old, new, first, old_last, new_last)
  local lengths = lengths_of(old, new, first, old_last, new_last)
  local i, j = first, first
  while i <= old_last and j <= new_last do
    if old[i] == new[j] then
      add(rows, "same", old, i, i)
      i, j = i + 1, j + 1
    elseif (lengths[i + 1][j] or 0) >= (lengths[i][j + 1] or 0) then
      add(rows, "removed", old, i, i)
      i = i + 1
    else
      add(rows, "added", new, j, j)
      j = j + 1
    end
  end
  add(rows, "removed", old, i, old_last)
  add(rows, "added", new, j, new_last)
end

--- The rows of both texts in order. Of very long ones everything between the first and the last
--- line that differ is told as replaced.
---@param old_text string
---@param new_text string
---@return diff_row[] rows
---@return boolean differs
function diff.lines(old_text, new_text)
  local old, new, rows = lines_of(old_text), lines_of(new_text), {}
  local first, old_last, new_last = 1, #old, #new
  while first <= old_last and first <= new_last and old[first] == new[first] do
    first = first + 1
  end
  while old_last >= first and new_last >= first and old[old_last] == new[new_last] do
    old_last, new_last = old_last - 1, new_last - 1
  end
  add(rows, "same", old, 1, first - 1)
  if (old_last - first + 1) * (new_last - first + 1) <= CELLS then
    compare(rows, old, new, first, old_last, new_last)
  else
    add(rows, "removed", old, first, old_last)
    add(rows, "added", new, first, new_last)
  end
  add(rows, "same", old, old_last + 1, #old)
  return rows, first <= math.max(old_last, new_last)
end

return diff
