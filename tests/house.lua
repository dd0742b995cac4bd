--- The style guide as a program: what a reader may rely on in every file, checked.
---
---   lua5.4 tests/house.lua        from the top of the tree; exit 1 if a rule is broken
---
--- A mirror, not a policeman: where a rule is wrong, change the rule, here.

-- Layers, from the bottom up. Includes point down, or to the side. A file is named without its
-- ending; `a*` is every file that begins with a.
local layers = {
  { "base", "blob", "buf", "clock", "err", "gnutls_late", "hash", "late", "log", "mask", "metrics*",
    "role", "slab", "terminal" },
  -- The configuration is read with the codecs that will read it again.
  { "address", "crypto", "encode*", "env*", "excerpt", "html", "json_line", "json_text*", "jwt",
    "mime*", "origin", "text*", "throttle", "trace", "tree*" },
  { "fetch*", "http*", "loop" },
  { "auth*", "firestore*", "gmail*", "google*", "mail", "outbox", "scratch*",
    "sqlite*", "store" },
  -- bindings.h is what the machine asks of the layer above: the names of the modules to open.
  { "bindings", "frozen", "gen*", "job", "measure", "sandbox", "task*" },
  { "lua_*" },
  { "attached", "caller", "check*", "command*", "confine*", "host", "key", "lua_prompt",
    "lua_serve", "lua_testing", "main", "prompt", "repl*", "reply", "request", "route", "serve",
    "served", "services", "test*", "usage", "watch" },
}

-- One library, one file (or one family of files with one name): a pattern of the header, and who
-- may include it.
local libraries = {
  { "^curl/", "fetch*" },
  { "^idn2%.h$", "address.c" },
  { "^histedit%.h$", "repl_line.c" },
  -- JSON trees are spoken by all services, but neither by the codecs nor by the wires.
  { "^jansson%.h$", "auth*", "firestore*", "gmail*", "google*", "json_text.h", "lua_json*",
    "repl_attach.c", "reply.c", "scratch*", "sqlite*", "store*" },
  { "^md4c", "text*" },
  { "^microhttpd%.h$", "http*" },
  { "^openssl/", "crypto.c" },
  { "^sqlite3%.h$", "sqlite*" },
  { "^uv%.h$", "loop.h" },
}

local LUA_LAYER = 5 -- the first one that may know Lua

-- These arrays of C functions are not modules of ours: what is Lua's own or lua-cjson's, and what
-- only tests have.
local no_stubs = { ["lua_base.c"] = true, ["lua_cjson.c"] = true, ["lua_string.c"] = true,
  ["lua_table.c"] = true, ["test.c"] = true, ["sandbox.c"] = true }

local FILE_LINES, FUNCTION_LINES = 500, 60

-- --- reading -------------------------------------------------------------------------------------

local broken, warned = 0, 0

local function fault(where, what, ...)
  broken = broken + 1
  print(("%s: %s"):format(where, what:format(...)))
end

local function warning(where, what, ...)
  warned = warned + 1
  print(("%s: warning: %s"):format(where, what:format(...)))
end

local function list(command)
  local pipe <close> = assert(io.popen(command .. " | LC_ALL=C sort"))
  local names = {}
  for name in pipe:lines() do names[#names + 1] = name end
  return names
end

local function read(path)
  local file <close> = assert(io.open(path))
  return file:read("a")
end

-- Comments and strings become spaces, so that words in them are not taken for code.
local function code_of(text)
  local function blank(s) return (s:gsub("[^\n]", " ")) end
  text = text:gsub("/%*.-%*/", blank)
  return (text:gsub('"[^"\n]*"', blank))
end

local function matches(name, pattern)
  if pattern:sub(-1) == "*" then return name:sub(1, #pattern - 1) == pattern:sub(1, -2) end
  return name == pattern
end

local files = {} -- of core/, by name: text, code
for _, path in ipairs(list("ls core/*.c core/*.h")) do
  local text = read(path)
  files[path:match("[^/]+$")] = { text = text, code = code_of(text) }
end

local function in_order(t)
  local names, i = {}, 0
  for name in pairs(t) do names[#names + 1] = name end
  table.sort(names)
  return function()
    i = i + 1
    return names[i], t[names[i]]
  end
end

-- --- layers, headers, libraries ------------------------------------------------------------------

-- The number of the layer. A name that stands in the table itself goes before `a*`.
local function layer_of(name)
  local stem = name:gsub("%.[ch]$", "")
  local found
  for i, names in ipairs(layers) do
    for _, pattern in ipairs(names) do
      if pattern == stem then return i end
      if matches(stem, pattern) then found = i end
    end
  end
  return found
end

local function check_includes(name, file)
  local layer = layer_of(name)
  if not layer then
    fault("core/" .. name, "is in no layer: give it a place in tests/house.lua")
    return
  end
  file.includes = {}
  for header in file.text:gmatch('\n#include "([^"]+)"') do
    file.includes[#file.includes + 1] = header
    local below = files[header] and layer_of(header)
    if not files[header] then
      fault("core/" .. name, 'includes "%s", which is not in core/', header)
    elseif below and below > layer then
      fault("core/" .. name, "of layer %d includes %s of layer %d: includes point down",
        layer - 1, header, below - 1)
    end
  end
  for header in file.text:gmatch("\n#include <([^>]+)>") do
    for _, library in ipairs(libraries) do
      if header:find(library[1]) then
        local allowed = false
        for i = 2, #library do allowed = allowed or matches(name, library[i]) end
        if not allowed then
          fault("core/" .. name, "includes <%s>, which is for %s alone", header,
            table.concat(library, ", ", 2))
        end
      end
    end
    if header:find("^lua") and header:find("^lua[xl]?[a-z]*%.h$") and layer < LUA_LAYER then
      fault("core/" .. name, "includes <%s>, but Lua begins at layer %d", header, LUA_LAYER - 1)
    end
  end
end

-- A cycle of headers through `name`, as a list of names.
local function check_cycles()
  local done = {}
  local function visit(name, path)
    for i, seen in ipairs(path) do
      if seen == name then
        fault("core/" .. name, "a cycle of headers: %s > %s", table.concat(path, " > ", i), name)
        return
      end
    end
    if done[name] or not files[name] then return end
    path[#path + 1] = name
    for _, header in ipairs(files[name].includes or {}) do visit(header, path) end
    path[#path] = nil
    done[name] = true
  end
  for name in in_order(files) do
    if name:find("%.h$") then visit(name, {}) end
  end
end

local function check_opening(name, file)
  local opening = "/*\n * " .. name .. " - "
  if name:find("%.h$") and file.text:sub(1, #opening) ~= opening then
    fault("core/" .. name, "does not open with a comment `%s - what it is`", name)
  end
end

-- --- one resume ----------------------------------------------------------------------------------

local function check_resume()
  local places = {}
  for name, file in in_order(files) do
    for _ in file.code:gmatch("lua_resume%s*%(") do places[#places + 1] = name end
  end
  if #places ~= 1 or places[1] ~= "task.c" then
    fault("core/", "lua_resume is called in %s; it has one call site, in task.c",
      #places > 0 and table.concat(places, ", ") or "no file")
  end
end

-- --- stubs and bindings --------------------------------------------------------------------------

-- "paraph.store.get" for every function that a stub describes.
local function read_stubs()
  local stubs = {}
  for _, path in ipairs(list("ls scripts/types/*.lua")) do
    local classes, class = {}, nil
    for line in read(path):gmatch("[^\n]+") do
      class = line:match("^%-%-%-@class ([%w_.]+)") or class
      local variable = line:match("^local ([%w_]+) = {}")
      if variable then classes[variable] = class end
      local owner, name = line:match("^function ([%w_]+)[.:]([%w_]+)%(")
      local whole = line:match("^function ([%w_]+)%(")
      if whole then
        stubs["paraph." .. whole] = path
      elseif owner and classes[owner] then
        stubs[classes[owner] .. "." .. name] = path
      elseif owner then
        fault(path, "%s.%s belongs to no class", owner, name)
      end
    end
  end
  return stubs
end

-- The same for what C registers.
local function read_bindings()
  local bound = {}
  for name, file in in_order(files) do
    local module = name:match("^lua_([%w_]+)%.c$")
    if module and not no_stubs[name] then
      local registers = false
      for array in file.text:gmatch("luaL_Reg [%w_]+%[%]%s*=%s*(%b{})") do
        registers = true
        for entry in array:gmatch('{%s*"([%w_]+)"') do
          if not entry:find("^__") then
            bound[("paraph.%s.%s"):format(module, entry)] = "core/" .. name
          end
        end
      end
      if not registers and file.code:find("lua_pushcfunction%s*%(") then
        bound["paraph." .. module] = "core/" .. name -- the module is one function
      end
    end
  end
  return bound
end

local function check_stubs()
  local stubs, bound = read_stubs(), read_bindings()
  for name, path in in_order(bound) do
    if not stubs[name] then fault(path, "%s has no stub in scripts/types", name) end
  end
  for name, path in in_order(stubs) do
    if not bound[name] then fault(path, "%s is bound nowhere in core", name) end
  end
end

-- --- sizes, words --------------------------------------------------------------------------------

-- A function begins at a line that starts in the first column and ends at a brace in it.
--- The configuration knows which collections the scripts keep beside the drafts.
local function check_collections()
  local known = read("core/env.c")
  for _, path in ipairs(list("find scripts -name '*.lua'")) do
    for suffix in read(path):gmatch('draft_collection %.%. "(_%a+)') do
      if not known:find('"' .. suffix .. '"', 1, true) then
        fault(path, "%s is missing in is_kept_beside_drafts() of core/env.c", suffix)
      end
    end
  end
end

local function check_functions(path, code)
  local name, started, number = nil, 0, 0
  for line in code:gmatch("([^\n]*)\n") do
    number = number + 1
    if line:find("^[%a_].*%(") then
      name, started = line:match("([%w_]+)%("), number
    elseif line:find("^}") then
      if name and number - started + 1 > FUNCTION_LINES then
        warning(("%s:%d"):format(path, started), "%s has %d lines", name, number - started + 1)
      end
      name = nil
    end
  end
end

local function check_size(path, text)
  local _, lines = text:gsub("\n", "")
  if lines > FILE_LINES then warning(path, "%d lines", lines) end
end

local function check_words(path, text)
  local number = 0
  for line in text:gmatch("([^\n]*)\n") do
    number = number + 1
    for _, word in ipairs { "TO" .. "DO", "FIX" .. "ME", "X" .. "XX" } do
      if line:find("%f[%w]" .. word .. "%f[%W]") then
        fault(("%s:%d"):format(path, number), "%s: do it, or open an issue", word)
      end
    end
  end
end

-- A word of the pages is printed as t.word, or named in a text, or is one of those that begin as a
-- text does: t["status_" .. stage].
local function check_page_words()
  local used = {}
  for _, path in ipairs(list("find scripts/lib scripts/pages templates/pages -type f "
      .. "! -name '*_test.lua' ! -name 'words_*'")) do
    local text = read(path)
    for name in text:gmatch("%f[%w_.]t%.([%l%d_]+)") do used[name] = true end
    for name in text:gmatch('"(%l+_[%l%d_]*)"') do used[name] = true end
  end
  for name in read("scripts/pages/words_en.lua"):gmatch("%f[%w_]([%l%d_]+) =") do
    local start = name
    while start and not used[start] do start = start:match("^(.*_)[^_]+_?$") end
    if not start then fault("scripts/pages/words_en.lua", "no page uses %s", name) end
  end
end

for name, file in in_order(files) do
  check_includes(name, file)
  check_opening(name, file)
  check_size("core/" .. name, file.text)
  check_functions("core/" .. name, file.code)
end
check_cycles()
check_resume()
check_stubs()
check_collections()
check_page_words()
for _, path in ipairs(list("find scripts templates -type f")) do check_size(path, read(path)) end
for _, path in ipairs(list("find core scripts templates tests dev .ci CMakeLists.txt -type f "
    .. "! -path 'tests/node_modules/*' ! -name package-lock.json")) do
  check_words(path, read(path))
end

print(("house: %d rules broken, %d warnings"):format(broken, warned))
os.exit(broken == 0)
