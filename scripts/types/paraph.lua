---@meta paraph
--- What every module shares. Sources are in `core/lua_*.c`, one for each module.

--- Why the world refused. Returned as second value after nil; misuse of a function (a bug in the
--- script) raises instead.
---@class paraph.err
---@field code string        one of the closed list in `core/err.h`
---@field message string     one sentence for a person
---@field field? string      the request field at fault
---@field status? integer    the HTTP status it is answered with
---@field retry_after? integer  seconds
---@field details? table<string, any>  further members of the error answer
---@field sent? boolean      of paraph.fetch: the request may have reached the server
---@field unknown? boolean   of mail.send and mail.draft_send: the mail may have left all the same;
---                          of mail.draft_create: the draft may be there

--- Immutable bytes that live outside Lua: request bodies, attachments, built messages.
--- `#blob` is its length in bytes.
---@class paraph.blob
local blob = {}

--- Let go of the bytes now, rather than when the collector comes by: what is asked of the blob
--- afterwards raises. `<close>` does the same. A slice keeps the bytes.
function blob:close() end

--- The bytes as a Lua string. Raises over `max` bytes (default 1 MiB).
---@param max? integer
---@return string
function blob:string(max) end

--- The bytes that this blob spells in base64 (either alphabet, white space ignored).
---@return paraph.blob? decoded
---@return paraph.err? err    `invalid_field`, with the offset of the fault
function blob:base64_decode() end

--- The base64 spelling of this blob, on one line.
---@return paraph.blob
function blob:base64_encode() end

--- Where `text` begins in it, at `from` (default 1) or later; nil if it is not there. No pattern.
---@param text string
---@param from? integer       from the end if negative, as for string.find
---@return integer?
function blob:find(text, from) end

--- The bytes `from` to `to` (default the last one), as string.sub counts them. They are not copied:
--- a slice keeps the whole in memory.
---@param from integer
---@param to? integer
---@return paraph.blob
function blob:slice(from, to) end

--- SHA-256, 64 lower-case hexadecimal digits.
---@return string
function blob:sha256() end

--- What a handler gets.
---@class paraph.request
---@field method string       "GET" for HEAD too
---@field head boolean        it is HEAD: the answer's body is left out
---@field path string         without the query
---@field query table<string, string>   percent-decoded; what cannot be is as it was sent
---@field headers table<string, string> names in lower case; a value that is not UTF-8 is U+FFFD
---@field params table<string, string>  the parts of the path named in the route's pattern
---@field body? paraph.blob
---@field id string           the X-Request-Id
---@field remote string       address of the peer
---@field caller paraph.caller

---@class paraph.caller
---@field name string         of the API key, or an e-mail address; "anonymous" under AUTH=none
---@field method string       of AUTH, by which he is known: "key", "google", "iap", "iam", "none";
---                          "command" at the command line, "prompt" at the prompt
---@field roles table<"draft"|"send"|"review"|"ops", true>  none on a public route

--- What a handler returns (or nil and a paraph.err, which becomes the error answer).
---@class paraph.reply
---@field status? integer|string  200 to 599; default 200; an error's code stands for its status
---@field json? any           encoded with paraph.json, or
---@field body? string|paraph.blob
---@field type? string        Content-Type; default application/json with `json`, else text/plain
---@field headers? table<string, string>  at most 16, and 2 KiB of them
