--- Mustache source to a tree. Called by mustache.lua alone.
---
--- A tree is a list of nodes in the order of the source:
---
---   { kind = "text", text, starts_line, tag_follows }   see pieces()
---   { kind = "escaped"|"raw", name }               {{x}}; {{{x}}} and {{&x}}
---   { kind = "section"|"inverted", name, body }
---   { kind = "partial", name, alone, indent }
---   { kind = "parent", name, alone, indent, body }
---   { kind = "block", name, body, … }              see trim_block()
---
--- A name "*x" is the value of x. `alone` says that a tag has lines of its own, after `indent`. Of
--- a parent's body only the blocks count: its arguments.
---
--- Every node has `line`: where its tag starts; for a text, the tag before it.
---
--- White space is most of the work: a tag that stands alone on its lines takes them with it. The
--- passes are therefore: find all tags; pair them; widen those that stand alone by the white space
--- they take; then what is left between the tags is text.

local MAX_NESTING = 100
local LONGEST_SHOWN = 40

local KINDS = {
  ["#"] = "section", ["^"] = "inverted", ["/"] = "close", [">"] = "partial", ["<"] = "parent",
  ["$"] = "block", ["&"] = "raw", ["{"] = "raw", ["!"] = "comment", ["="] = "delimiters",
}
-- What stands between the content and the closing delimiter.
local TAILS = { ["{"] = "}", ["="] = "=" }
local OPENS = { section = "section", inverted = "section", parent = "parent", block = "block" }
local NAMELESS = { comment = true, delimiters = true }
local MAY_BE_DYNAMIC = { partial = true, parent = true, close = true }
local NAMES_A_VALUE = { escaped = true, raw = true, section = true, inverted = true }

local function message_at(name, line, format, ...)
  return ("%s:%d: "):format(name, line) .. format:format(...)
end

local function shorten(s)
  s = s:gsub("%s+", " ")
  if #s <= LONGEST_SHOWN then return s end
  return s:sub(1, LONGEST_SHOWN):gsub("[\xC0-\xFF][\x80-\xBF]*$", "") .. "…"
end

--- Is it "." or parts joined by single dots?
local function is_path(name)
  return name == "." or not ("." .. name .. "."):find("..", 1, true)
end

--- The name in a tag's content; nil and what is wrong with it.
local function read_name(kind, content)
  if content:find("^[%w_]+$") then return content end
  local name = MAY_BE_DYNAMIC[kind] and content:gsub("^%*%s*", "*") or content
  if name == "" or name == "*" then
    return nil, "a tag has no name"
  elseif name:find("%s") then
    return nil, ("'%s' is not a name"):format(shorten(name))
  end
  local path = NAMES_A_VALUE[kind] and name or MAY_BE_DYNAMIC[kind] and name:match("^%*(.*)")
  if path and not is_path(path) then
    return nil, ("'%s' is not a name"):format(shorten(name))
  end
  return name
end

--- Read the tag whose content starts at `from`: its last position, its name or what are delimiters
--- from then on. nil and what is wrong with it.
local function read_tag(source, tag, sigil, from, open, close)
  local stop, last = source:find((TAILS[sigil] or "") .. close, from, true)
  local content = stop and (source:sub(from, stop - 1):match("^%s*(.*%S)") or "")
  local swallowed = content and not NAMELESS[tag.kind] and content:find(open, 1, true)
  if not content or swallowed then
    local shown = shorten(source:match("^[^\r\n]*", tag.first))
    return nil, ("the tag '%s' is not closed"):format(shown)
  end
  tag.last = last
  if tag.kind == "delimiters" then
    open, close = content:match("^([^%s=]+)%s+([^%s=]+)$")
    if not open then return nil, ("'%s' are not two delimiters"):format(shorten(content)) end
  elseif not NAMELESS[tag.kind] then
    local why
    tag.name, why = read_name(tag.kind, content)
    if not tag.name then return nil, why end
  end
  return open, close
end

--- All tags in order: { kind, name, line, first, last }, the last two being positions.
local function scan(source, template)
  local tags, open, close = {}, "{{", "}}"
  local pos, line, line_end = 1, 1, source:find("\n", 1, true)
  while true do
    local first, opened = source:find(open, pos, true)
    if not first then return tags end
    while line_end and line_end < first do
      line, line_end = line + 1, source:find("\n", line_end + 1, true)
    end

    local sigil = source:sub(opened + 1, opened + 1)
    local kind = KINDS[sigil] or "escaped"
    local from = opened + (KINDS[sigil] and 2 or 1)
    local tag = { kind = kind, line = line, first = first }
    if open == "{{" and close == "}}" and not TAILS[sigil] then -- most tags are plain
      tag.name, pos = source:match("^([%w_]+)}}()", from)
    end
    if tag.name then
      tag.last = pos - 1
    else
      local opens, closes = read_tag(source, tag, sigil, from, open, close)
      if not opens then return nil, message_at(template, line, "%s", closes) end
      open, close, pos = opens, closes, tag.last + 1
    end
    tags[#tags + 1] = tag
  end
end

local function is_line_start(source, pos)
  return pos == 1 or source:byte(pos - 1) == 10
end

--- The start of the line if only blanks stand between it and pos.
local function blank_before(source, pos)
  while pos > 1 and source:find("^[ \t]", pos - 1) do pos = pos - 1 end
  return is_line_start(source, pos) and pos or nil
end

--- The last position of the line if only blanks stand between pos and it.
local function blank_after(source, pos)
  local _, last = source:find("^[ \t]*\r?\n", pos + 1)
  if not last then _, last = source:find("^[ \t]*$", pos + 1) end
  return last
end

--- If nothing else stands on the lines from `open` to `close` (one tag, or a pair and what it
--- holds), take the white space before and after; else false.
local function trim_around(source, open, close)
  local first, last = blank_before(source, open.first), blank_after(source, close.last)
  if not (first and last) then return false end
  open.indent = source:sub(first, open.first - 1)
  open.first, close.last = first, last
  open.alone, close.alone = true, true
  return true
end

--- The tags of a block belong to its lines, if it has lines of its own: as an argument always, as
--- a parameter if nothing else stands on them. Then the block has
---
---   starts_line, ends_line  what it holds starts with a line, ends with a line end
---   eol                     the line end after the closing tag
---   margin                  the white space that an argument's lines lose, and that those of
---                           the argument in place of a parameter gain
local function trim_block(source, open, close)
  local eol = source:match("^[ \t]*(\r?\n)", close.last + 1) or ""
  if not open.argument and not trim_around(source, open, close) then return false end

  local last = source:match("^[ \t]*\r?\n()", open.last + 1)
  if last then open.last = last - 1 end
  open.starts_line = last ~= nil

  local first = blank_before(source, close.first)
  open.ends_line = first ~= nil
  close.first, close.alone = first or close.first, true

  local has_content = open.starts_line and open.last + 1 < close.first
  open.margin = has_content and source:match("^[ \t]*", open.last + 1) or open.indent
  open.own_lines = not open.argument
  open.eol = eol
  return true
end

local function trim_pair(source, open, close)
  if open.kind == "parent" then
    trim_around(source, open, close)
  elseif open.kind ~= "block" or not trim_block(source, open, close) then
    trim_around(source, open, open)
    trim_around(source, close, close)
  end
end

--- Find for each tag that closes the one that it closes; nil and a message.
local function pair(tags, template)
  local stack = {}
  for _, tag in ipairs(tags) do
    local outer = stack[#stack]
    if OPENS[tag.kind] then
      if #stack == MAX_NESTING then
        return nil, message_at(template, tag.line, "nested deeper than %d", MAX_NESTING)
      end
      tag.argument = tag.kind == "block" and outer ~= nil and outer.kind == "parent"
      stack[#stack + 1] = tag
    elseif tag.kind == "close" then
      if not outer then
        return nil, message_at(template, tag.line, "{{/%s}} closes nothing", tag.name)
      elseif outer.name ~= tag.name then
        return nil, message_at(template, tag.line, "{{/%s}} where %s '%s' of line %d is open",
          tag.name, OPENS[outer.kind], outer.name, outer.line)
      end
      stack[#stack] = nil
      tag.open = outer
    end
  end
  local open = stack[#stack]
  if open then
    return nil, message_at(template, open.line, "%s '%s' is not closed", OPENS[open.kind],
      open.name)
  end
  return true
end

--- Take the white space that goes with the tags that stand alone.
local function trim(source, tags)
  for _, tag in ipairs(tags) do
    if tag.open then
      trim_pair(source, tag.open, tag)
    elseif NAMELESS[tag.kind] or tag.kind == "partial" then
      trim_around(source, tag, tag)
    end
  end
end

--- Take the margin from all lines that start in a text.
local function strip_margin(text, starts_line, margin)
  if margin == "" then return text end
  if not starts_line then return (text:gsub("\n" .. margin, "\n")) end
  return (("\n" .. text):gsub("\n" .. margin, "\n"):sub(2))
end

--- A text node; nil if there is nothing to print or to indent.
local function text_node(text, line, starts_line, tag_follows)
  if text == "" and not (starts_line and tag_follows) then return nil end
  return { kind = "text", line = line, text = text, starts_line = starts_line,
    tag_follows = tag_follows }
end

--- Put text between the tags, and what a pair of tags holds into its body.
local function build(source, tags)
  local root = {}
  local body, margin, pos, line = root, "", 1, 1
  local stack = {}

  local function add_text(to, tag_follows)
    local starts_line = is_line_start(source, pos)
    local text = strip_margin(source:sub(pos, to), starts_line, margin)
    body[#body + 1] = text_node(text, line, starts_line, tag_follows)
  end

  for _, tag in ipairs(tags) do
    add_text(tag.first - 1, not tag.alone)
    if tag.kind == "close" then
      body, margin = table.unpack(table.remove(stack))
    elseif not NAMELESS[tag.kind] then
      tag.indent = strip_margin(tag.indent or "", true, margin)
      body[#body + 1] = tag
      if OPENS[tag.kind] then
        stack[#stack + 1] = { body, margin }
        body = {}
        tag.body = body
        if tag.own_lines then
          tag.margin = strip_margin(tag.margin, true, margin)
        elseif tag.argument then
          margin = tag.margin or margin
        end
      end
    end
    pos, line = tag.last + 1, tag.line
  end
  add_text(#source, false)
  return root
end

local parser = {}

--- The text of a node, cut wherever a line with content starts: joining the pieces with an indent
--- indents it.
---@param node table
---@return string[]
function parser.pieces(node)
  local text, pieces, from = node.text, {}, 1
  local function has_content(at)
    if at > #text then return node.tag_follows end
    return not text:find("^\r?\n", at)
  end
  if node.starts_line and has_content(1) then pieces[1] = "" end
  for at in text:gmatch("\n()") do
    if has_content(at) then
      pieces[#pieces + 1] = text:sub(from, at - 1)
      from = at
    end
  end
  pieces[#pieces + 1] = text:sub(from)
  return pieces
end

--- All tags, in pairs where they come in pairs; nil and a message.
local function find_tags(source, name)
  local tags, why = scan(source, name)
  if not tags then return nil, why end
  local paired
  paired, why = pair(tags, name)
  if not paired then return nil, why end
  return tags
end

--- What is wrong with a source: a message with name and line; nil: nothing.
---@param source string
---@param name string          for messages
---@return string?
function parser.check(source, name)
  local _, message = find_tags(source, name)
  return message
end

--- The tree of a source, or nil and a message with name and line.
---@param source string
---@param name string          for messages
---@return table?
---@return string?
function parser.parse(source, name)
  local tags, message = find_tags(source, name)
  if not tags then return nil, message end
  trim(source, tags)
  return build(source, tags)
end

return parser
