--- Patterns of routes, as core/route.c matches them: "/drafts/{id}/message", where {id} takes all
--- of a path's segment that is left, and not nothing.

local route_pattern = {}

local PARAMS_MAX = 8

--- The segments of a pattern: { text, whole }, where `whole` is false if a {name} follows the text.
local function segments_of(pattern)
  local segments = {}
  for segment in pattern:gmatch("/([^/]*)") do
    local text = segment:match("^(.-){")
    segments[#segments + 1] = { text or segment, not text }
  end
  return segments
end

--- What is wrong with a pattern, if something is.
---@param pattern string
---@return string? why
function route_pattern.fault(pattern)
  local seen, n = {}, 0
  for segment in pattern:gmatch("/([^/]*)") do
    local name, rest = segment:match("{(.-)}(.*)$")
    if segment:find("{", 1, true) and not name then
      return "has a '{' that is not closed before the next '/'"
    end
    if rest and rest ~= "" then
      return ("matches nothing: {%s} takes all up to the next '/'"):format(name)
    end
    if name and seen[name] then return ("has two parameters {%s}"):format(name) end
    if name then seen[name], n = true, n + 1 end
  end
  if n > PARAMS_MAX then
    return ("matches nothing: it has more than %d parameters"):format(PARAMS_MAX)
  end
end

--- Does a segment match whatever another one matches?
local function takes(segment, other)
  if segment[2] then return other[2] and other[1] == segment[1] end
  local starts = other[1]:sub(1, #segment[1]) == segment[1]
  return starts and (not other[2] or #other[1] > #segment[1])
end

--- Is a route served wherever another one is?
local function is_served_with(route, other)
  local serve = route.serve or "gateway"
  return serve == "all" or serve == (other.serve or "gateway")
end

--- Does a route take all that comes for another one?
---@param route table  as in routes.lua
---@param other table
---@return boolean
function route_pattern.covers(route, other)
  if route[1] ~= other[1] or not is_served_with(route, other) then return false end
  if route_pattern.fault(route[2]) then return false end
  local segments, others = segments_of(route[2]), segments_of(other[2])
  if #segments ~= #others then return false end
  for i, segment in ipairs(segments) do
    if not takes(segment, others[i]) then return false end
  end
  return true
end

return route_pattern
