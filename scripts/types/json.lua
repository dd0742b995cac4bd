---@meta paraph.json
--- JSON as the service speaks it: integers stay integers, `[]` and `{}` stay apart, invalid UTF-8,
--- duplicate names, NaN and infinities are refused. The names are those of lua-cjson. Paths name
--- members as a caller sees them, elements from 0: `metadata.ids[3]`.
---@class paraph.json
---@field null userdata        JSON null
---@field empty_array table    encodes as [] (do not write to it)
---@field array_mt table       a table with this metatable is an array, even if empty; decoded
---                            arrays have it
local json = {}

---@class paraph.json.decode_options
---@field blobs? string        path of strings to give as blobs, e.g. "attachments.*.content"
---@field max_depth? integer   1 to 256, default 64

--- A copy of a value, of its tables, too; arrays stay arrays, and no other metatable is copied.
--- Raises on more than 256 levels.
---@generic T
---@param value T
---@return T
function json.copy(value) end

--- Numbers that cannot be carried exactly (integers beyond 64 bits; reals beyond a double's range,
--- or whose digits a double does not give back, as is always so with more than 17 of them) are
--- `invalid_field` naming the member. More than 250,000 values are `payload_too_large`.
---@param text string|paraph.blob
---@param options? paraph.json.decode_options
---@return any value          nil on failure
---@return paraph.err? err    `malformed_json` with line and column, or one of the above
function json.decode(text, options) end

--- Tables with only the keys 1..n, and those with array_mt, are arrays; an empty table without it
--- is an object. Blobs are strings. Raises on functions, NaN, invalid UTF-8, cycles, mixed keys,
--- weak tables, and texts over 64 MiB or 250,000 values. Members of objects come in the order of
--- their names.
---@param value any
---@param options? { indent?: integer, max_depth?: integer }  indent 1 to 8, default 0: compact;
---                                                           max_depth 1 to 256, default 64
---@return string
function json.encode(value, options) end

--- What encode() would make of it, without making it; up to 256 levels.
---@param value any
---@return integer bytes
---@return integer values   with those inside of tables
function json.measure(value) end

return json
