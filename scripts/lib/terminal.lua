--- Texts on a terminal, whoever wrote them: what would move the cursor, change colours, turn the
--- order of characters around or hide what stands there is made visible, or a space.

local terminal = {}

local REPLACEMENT = "\u{FFFD}"

--- Characters without a glyph that change how others are shown: marks and overrides of direction,
--- invisible operators, tags, the byte order mark.
local function is_hidden(c)
  return c == 0x61C or c >= 0x200B and c <= 0x200F and c ~= 0x200D or c >= 0x202A and c <= 0x202E
    or c >= 0x2060 and c <= 0x206F or c == 0xFEFF or c >= 0xE0000 and c <= 0xE0FFF
end

local function is_control(c)
  return c < 0x20 or c >= 0x7F and c < 0xA0 or c == 0x2028 or c == 0x2029
end

--- The bytes of a text that are no characters, replaced.
local function well_formed(text)
  local valid, at = utf8.len(text)
  if valid then return text end
  local parts, from = {}, 1
  repeat
    parts[#parts + 1], from = text:sub(from, at - 1), at + 1
    valid, at = utf8.len(text, from)
  until valid
  parts[#parts + 1] = text:sub(from)
  return table.concat(parts, REPLACEMENT)
end

local PLAIN = "^[\x20-\x7E]*$"

--- The text on one line.
---@param text string
---@return string
function terminal.line(text)
  if text:find(PLAIN) then return text end
  local out = {}
  for _, c in utf8.codes(well_formed(text)) do
    if not is_control(c) then
      out[#out + 1] = is_hidden(c) and REPLACEMENT or utf8.char(c)
    elseif out[#out] ~= " " then
      out[#out + 1] = " "
    end
  end
  return table.concat(out)
end

--- A text of many lines: each of them, on one line.
---@param text string
---@return string[]
function terminal.lines(text)
  local lines = {}
  for line in text:gsub("\r\n?", "\n"):gsub("\n+$", ""):gmatch("([^\n]*)\n?") do
    lines[#lines + 1] = terminal.line(line:gsub("\t", "    "))
  end
  if #lines > 1 and lines[#lines] == "" then lines[#lines] = nil end
  return lines
end

-- --- columns -------------------------------------------------------------------------------------

--- What takes two columns on most terminals (of UAX #11, by blocks).
local WIDE = {
  { 0x1100, 0x115F }, { 0x2E80, 0x303E }, { 0x3041, 0xA4CF }, { 0xAC00, 0xD7A3 },
  { 0xF900, 0xFAFF }, { 0xFE30, 0xFE6F }, { 0xFF00, 0xFF60 }, { 0xFFE0, 0xFFE6 },
  { 0x1F300, 0x1F64F }, { 0x1F680, 0x1F6FF }, { 0x1F900, 0x1FAFF }, { 0x20000, 0x3FFFD },
}
--- What takes none: marks that combine with the character before, and joiners.
local NONE = {
  { 0x300, 0x36F }, { 0x483, 0x489 }, { 0x591, 0x5BD }, { 0x610, 0x61A }, { 0x64B, 0x65F },
  { 0x200D, 0x200D }, { 0x20D0, 0x20FF }, { 0xFE00, 0xFE0F }, { 0xFE20, 0xFE2F },
}

local function is_in(blocks, c)
  for _, block in ipairs(blocks) do
    if c >= block[1] and c <= block[2] then return true end
  end
  return false
end

local function columns_of(c)
  if c < 0x300 then return 1 end
  return is_in(NONE, c) and 0 or is_in(WIDE, c) and 2 or 1
end

--- How many columns a text of terminal.line takes.
---@param text string
---@return integer
function terminal.width(text)
  if text:find(PLAIN) then return #text end
  local width = 0
  for _, c in utf8.codes(text) do width = width + columns_of(c) end
  return width
end

--- The beginning of a text of terminal.line, in so many columns; what is cut off is "…".
---@param text string
---@param columns integer   at least 1
---@return string
function terminal.cut(text, columns)
  if terminal.width(text) <= columns then return text end
  local width = 0
  for at, c in utf8.codes(text) do
    width = width + columns_of(c)
    if width >= columns then return text:sub(1, at - 1) .. "…" end
  end
  return text
end

local GAP = "  "

--- The widest column that may be narrower; nil: none may.
local function widest(columns, widths)
  local found
  for i, width in ipairs(widths) do
    local is_wide = columns[i].least and width > columns[i].least
    if is_wide and (not found or width > widths[found]) then found = i end
  end
  return found
end

--- How wide each column may be, so that all of them fit: the widest give way first.
local function fit(columns, widths, total)
  local over = #GAP * (#columns - 1) - total
  for _, width in ipairs(widths) do over = over + width end
  while over > 0 do
    local i = widest(columns, widths)
    if not i then break end
    widths[i], over = widths[i] - 1, over - 1
  end
  return widths
end

--- Rows of texts as lines, one column below the other.
---@param columns { title: string, least?: integer }[]  a column without `least` is never cut
---@param rows string[][]
---@param total? integer      columns of the terminal; nil: nothing is cut
---@return string[]
function terminal.table(columns, rows, total)
  local widths, lines = {}, {}
  for i, column in ipairs(columns) do
    widths[i] = terminal.width(column.title)
    for _, row in ipairs(rows) do widths[i] = math.max(widths[i], terminal.width(row[i])) end
  end
  if total then widths = fit(columns, widths, total) end
  local function add(cells)
    local parts = {}
    for i, cell in ipairs(cells) do
      cell = total and terminal.cut(cell, widths[i]) or cell
      parts[i] = cell .. (" "):rep(widths[i] - terminal.width(cell))
    end
    lines[#lines + 1] = table.concat(parts, GAP):gsub(" +$", "")
  end
  local titles = {}
  for i, column in ipairs(columns) do titles[i] = column.title end
  add(titles)
  for _, row in ipairs(rows) do add(row) end
  return lines
end

return terminal
