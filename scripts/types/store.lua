---@meta paraph.store
--- Documents in collections (SQLite or Firestore; `core/store.h` says what holds for both).
--- Members named `*_at` or `*_since` that hold RFC 3339 UTC text are times. What cannot be an id (1
--- to 1500 bytes of UTF-8 without "/"), or a member, is `invalid_field`.
---@class paraph.store
local store = {}

---@alias paraph.document table<string, any>

--- The document and its version; nil alone if there is none.
---@async
---@param collection string
---@param id string
---@param options? { without?: string }  a member that is not wanted: SQLite does not read an array
---                                      that `append` made
---@return paraph.document? document
---@return string|paraph.err|nil version_or_err
function store.get(collection, id, options) end

--- A document that another write brings along: both are written, or none. It takes the place of
--- what was under its id. At most four of them.
---@class paraph.store.companion
---@field collection string
---@field id string
---@field document paraph.document

--- A new document, durable when this returns. `already_exists` if there is one.
---@async
---@param collection string
---@param id string
---@param document paraph.document
---@param options? { parts?: paraph.blob[], with?: paraph.store.companion[] }  parts: large
---                                      contents, kept beside the document
---@return string? version
---@return paraph.err? err
function store.create(collection, id, document, options) end

---@class paraph.store.update_options
---@field version? string     precondition: `conflict` if the document has another
---@field remove? string[]    members to take away
---@field parts? paraph.blob[] replaces all parts
---@field with? paraph.store.companion[]

--- Set some members; the others stay. Returns nil alone if there is no such document.
---@async
---@param collection string
---@param id string
---@param members paraph.document
---@param options? paraph.store.update_options
---@return string? version
---@return paraph.err? err
function store.update(collection, id, members, options) end

--- Who holds a claim may send what it claims: it is held as long as its own writes succeed. That
--- somebody else has written the document shows at the claim's own next write, and not before: so
--- `note` what is about to be done, and then do it. After a write that has failed nothing is sent
--- until another one succeeds.
---@class paraph.claim
local claim = {}

--- Write a step down. `conflict`: somebody else wrote; nil alone: the document is gone.
---@async
---@param members paraph.document
---@param options? { remove?: string[], with?: paraph.store.companion[] }
---@return paraph.claim? claim
---@return paraph.err? err
function claim:note(members, options) end

--- The same, with this status; then the claim is finished: nothing is sent by it any more, and
--- nothing written.
---@async
---@param status string
---@param members paraph.document
---@param options? { remove?: string[], with?: paraph.store.companion[] }
---@return paraph.claim? claim
---@return paraph.err? err
function claim:finish(status, members, options) end

--- Claim a document of this version: it becomes `sending`, with `sending_since` now. `conflict` if
--- it has another version; nil alone if there is no such document.
---@async
---@param collection string
---@param id string
---@param version string
---@param members paraph.document
---@param options? { remove?: string[], with?: paraph.store.companion[] }
---@return paraph.claim? claim
---@return paraph.err? err
function store.claim(collection, id, version, members, options) end

--- Remove the document and its parts; true also if it was gone already.
---@async
---@param collection string
---@param id string
---@param options? { version?: string }
---@return true? ok
---@return paraph.err? err
function store.delete(collection, id, options) end

---@class paraph.store.query
---@field status? string      only documents with this `status` ...
---@field waiting? string     ... or with this `waiting`: one of the two
---@field limit? integer      1 to 200, default 50
---@field before? string      RFC 3339: only what was created before this time
---@field page_token? string

---@class paraph.store.page
---@field documents { id: string, version: string, document: paraph.document }[]
---@field next_page_token? string

--- Newest first (by created_at, then id). Tokens stay right while documents are added. In
--- Firestore, a document without a created_at is in no listing.
---@async
---@param collection string
---@param query? paraph.store.query
---@return paraph.store.page? page
---@return paraph.err? err
function store.query(collection, query) end

---@class paraph.store.count_options
---@field status? string      only documents with this `status` ...
---@field waiting? string     ... or with this `waiting`: one of the two
---@field most? integer       1 to 10000, default 1000: one more tells that there are more

--- How many documents there are; `most` + 1 if there are more than `most`.
---@async
---@param collection string
---@param options? paraph.store.count_options
---@return integer? n
---@return paraph.err? err
function store.count(collection, options) end

---@class paraph.store.increment_options
---@field counter string      a member that grows by one
---@field also? string        another one
---@field first? string       a member that becomes now, unless it is set
---@field last? string        a member that becomes now
---@field set? paraph.document  members to set
---@field append? { member: string, value: any }  an array that grows by this value, unless it holds
---                            an equal one; how long it gets is the caller's concern
---@field version? string     that of the document while `first` was not set: saves a look at it
---@field with? paraph.store.companion[]

--- Count an occurrence. False if there is no such document.
---@async
---@param collection string
---@param id string
---@param options paraph.store.increment_options
---@return boolean? found
---@return paraph.err? err
function store.increment(collection, id, options) end

--- The parts of a document, in order; empty if it has none, nil alone if there is no such document.
---@async
---@param collection string
---@param id string
---@return paraph.blob[]? parts
---@return paraph.err? err
function store.parts(collection, id) end

return store
