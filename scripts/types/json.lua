---@meta paraph.json
--- JSON as the service speaks it (a binding of jansson): integers stay integers, `[]` and `{}` stay
--- apart, invalid UTF-8, duplicate names, NaN and infinities are refused.
---@class paraph.json
---@field null userdata        JSON null
---@field empty_array table    encodes as [] (do not write to it)
---@field array_mt table       a table with this metatable is an array, even if empty; decoded
---                            arrays have it
local json = {}

---@class paraph.json.decode_options
---@field blobs? string        path of strings to give as blobs, e.g. "attachments.*.content"
---@field max_depth? integer   default 64

--- Numbers that cannot be carried exactly (integers beyond 64 bits, reals beyond a double's range or
--- with more than 17 significant digits) are `invalid_field` naming the member.
---@param text string|paraph.blob
---@param options? paraph.json.decode_options
---@return any value          nil on failure
---@return paraph.err? err    `malformed_json` with line and column, or `invalid_field`
function json.decode(text, options) end

--- Tables with only the keys 1..n, and those with array_mt, are arrays; an empty table without it is
--- an object. Blobs are strings. Raises on functions, NaN, invalid UTF-8, cycles, mixed keys.
--- Members of objects come in the order of their names.
---@param value any
---@param options? { indent?: integer, max_depth?: integer }
---@return string
function json.encode(value, options) end

return json
