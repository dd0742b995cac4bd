---@meta paraph.testing
--- Only in tests: what `lib/testing.lua` makes their world from. A test wants `testing.world` and
--- `testing.cases`, which are there; of these only `blob` and `read_file`.
---@class paraph.testing
local testing = {}

---@param text string
---@return paraph.blob
function testing.blob(text) end

--- A file, by its path from the directory of the tests. Only under `paraph test`.
---@param name string
---@return string
function testing.read_file(name) end

--- Whether this generation has the world of a test in place of the real one; not so under `--real`,
--- nor in a rehearsal. What follows raises there.
---@return boolean
function testing.is_scratch() end

--- Empty store and mailbox, forget the failures, and set the clock to 2026-01-01T00:00:00Z.
function testing.refresh() end

--- NO_SEND of this world; off until it is set.
---@param on boolean
function testing.set_no_send(on) end

---@param now string   RFC 3339
function testing.set_now(now) end

---@param seconds number   not below 0
function testing.advance(seconds) end

--- Let the next call of a part fail.
---@param part "store"|"mail"
---@param err { code: string, message?: string, field?: string, retry_after?: integer,
---  unknown?: boolean, happened?: boolean }
---@param on? string   the name of a function: its next call
function testing.fail_next(part, err, on) end

--- All that is in the mailbox, in the order in which it was put or sent there.
---@return { sent: boolean, id: string, thread_id: string, key: string, mailbox: string,
---  to: string[], bytes: paraph.blob }[]
function testing.letters() end

--- Answer paraph.fetch with this function.
---@param answer fun(request: paraph.fetch_request): paraph.fetch_reply?, paraph.err?
function testing.answers(answer) end

return testing
