local json = require "paraph.json"
local store = require "paraph.store"
local task = require "paraph.task"
local testing = require "paraph.testing"

local function raises(pattern, f, ...)
  local ok, message = pcall(f, ...)
  assert(not ok, "did not raise")
  assert(tostring(message):find(pattern, 1, true), tostring(message))
end

local function refused(code, field, value, err)
  assert(value == nil)
  assert(err.code == code and err.field == field, err.message)
end

return {
  ["a document comes back as it went in"] = function()
    local document = {
      text = "Zoë\0", whole = 1 << 60, real = 0.1, none = json.null,
      list = { 1, { a = {} } }, empty = json.empty_array,
      grid = { { 1, { 2 } }, json.empty_array, { ["[]"] = { 3 } } },
    }
    local version = assert(store.create("things", "whole", document))
    local got, current = store.get("things", "whole")
    assert(current == version)
    assert(json.encode(got) == json.encode(document))
    assert(math.type(got.whole) == "integer" and got.none == json.null)
  end,

  ["absence is a plain nil"] = function()
    assert(select("#", store.get("things", "absent")) == 1)
    assert(select("#", store.update("things", "absent", { a = 1 })) == 1)
    assert(select("#", store.parts("things", "absent")) == 1)
    assert(store.increment("things", "absent", { counter = "n" }) == false)
    assert(store.delete("things", "absent") == true)
    assert(store.get("things", "absent") == nil)
  end,

  ["what stands in the way is an error value"] = function()
    assert(store.create("things", "twice", {}))
    refused("already_exists", nil, store.create("things", "twice", {}))
    refused("conflict", nil, store.update("things", "twice", {}, { version = "0" }))
    refused("conflict", nil, store.delete("things", "twice", { version = "0" }))
    for _, id in ipairs { "", "a/b", "twice\0", "\xff", ("x"):rep(1501) } do
      refused("invalid_field", "id", store.get("things", id))
    end
    refused("invalid_field", "page_token", store.query("things", { page_token = "none" }))
    assert(select(2, store.create("things", "nan", { a = { 0 / 0 } })).code == "invalid_field")
  end,

  ["an update sets and removes, under a precondition"] = function()
    local first = assert(store.create("things", "edit", { a = 1, b = 2, c = 3 }))
    local second = assert(store.update("things", "edit", { a = 10 },
      { version = first, remove = { "b", "never" } }))
    assert(second ~= first)
    local document, version = store.get("things", "edit")
    assert(json.encode(document) == '{"a":10,"c":3}' and version == second)
    assert(store.delete("things", "edit", { version = second }) == true)
    assert(store.get("things", "edit") == nil)
  end,

  ["parts stay beside the document"] = function()
    local one, two = testing.blob("one"), testing.blob("")
    assert(store.create("things", "parts", {}, { parts = { one, two } }))
    assert(store.update("things", "parts", { a = 1 }))
    local parts = assert(store.parts("things", "parts"))
    assert(#parts == 2 and parts[1]:string() == "one" and #parts[2] == 0)
    assert(store.update("things", "parts", {}, { parts = {} }))
    assert(#store.parts("things", "parts") == 0)

    local many = {}
    for i = 1, 64 do many[i] = one end
    assert(store.update("things", "parts", {}, { parts = many }))
    assert(#store.parts("things", "parts") == 64)
    many[65] = one
    refused("invalid_field", "parts", store.update("things", "parts", {}, { parts = many }))
  end,

  ["occurrences are counted"] = function()
    assert(store.create("things", "count", { n = 1 }))
    assert(store.increment("things", "count", { counter = "n", first = "first", last = "last" }))
    local first = store.get("things", "count").first
    assert(first:match("^%d+%-%d%d%-%d%dT%d%d:%d%d:%d%d%.%d+Z$"), first)
    assert(store.increment("things", "count", { counter = "n", first = "first", last = "last" }))
    local document = store.get("things", "count")
    assert(document.n == 3 and document.first == first and document.last >= first)
  end,

  ["occurrences are counted twice over, and described"] = function()
    local version = assert(store.create("things", "described", { a = 1 }))
    local options = {
      counter = "n", also = "n person", first = "first_at", version = version,
      set = { last = { kind = "person" } },
    }
    assert(store.increment("things", "described", options))
    options.also, options.set = "n robot", { last = { kind = "robot" }, a = 2 }
    assert(store.increment("things", "described", options))
    local document = store.get("things", "described")
    assert(document.n == 2 and document["n person"] == 1 and document["n robot"] == 1)
    assert(document.last.kind == "robot" and document.a == 2 and document.first_at)
    raises("'set' must be a table", store.increment, "things", "described",
      { counter = "n", set = 1 })
  end,

  ["a member that is not wanted is left out"] = function()
    local wanted = { id = 1, list = { 1, 2 } }
    assert(store.create("things", "partly", wanted))
    local function get(options) return json.encode((store.get("things", "partly", options))) end
    assert(get { without = "list" } == json.encode { id = 1 })
    assert(get { without = "none" } == json.encode(wanted))
    for i = 3, 20 do
      wanted.list[i] = i
      assert(store.increment("things", "partly",
        { counter = "n", append = { member = "list", value = i } }))
    end
    wanted.n = 18
    assert(get() == json.encode(wanted) and get {} == json.encode(wanted))
    assert(get { without = "list" } == json.encode { id = 1, n = 18 })
    assert(store.get("things", "nothing", { without = "list" }) == nil)
    raises("'without' must be a string", store.get, "things", "partly", { without = 1 })
    raises("unknown option", store.get, "things", "partly", { with = "list" })
  end,

  ["occurrences are counted and kept in a list"] = function()
    assert(store.create("things", "listed", { opens = json.null }))
    local value = { at = "2026-01-01T00:00:00Z", kind = "person", odd = { 1, { 2 } } }
    local options = { counter = "n", append = { member = "opens", value = value } }
    assert(store.increment("things", "listed", options))
    assert(json.encode(store.get("things", "listed").opens) == json.encode { value })
    assert(store.increment("things", "listed", options)) -- one like it is in the list
    assert(#store.get("things", "listed").opens == 1)
    options.append = { member = "opens", value = { kind = "robot" } }
    options.set, options.first, options.last = { a = 1 }, "first", "last"
    assert(store.increment("things", "listed", options))
    options.append = { member = "other list", value = { 1, { 2 } } }
    assert(store.increment("things", "listed", options))
    local document = store.get("things", "listed")
    assert(document.n == 4 and document.a == 1 and document.first <= document.last)
    assert(json.encode(document.opens) == json.encode { value, { kind = "robot" } })
    assert(json.encode(document["other list"]) == "[[1,[2]]]")

    options.append = { member = "opens", value = { 0 / 0 } }
    local found, err = store.increment("things", "listed", options)
    assert(found == nil and err.code == "invalid_field", err.message)
    assert(store.get("things", "listed").n == 4)
    options.append = { member = "opens", value = "text" }
    assert(store.increment("things", "absent", options) == false)
    local function refuse(pattern, append)
      raises(pattern, store.increment, "things", "listed", { counter = "n", append = append })
    end
    refuse("'append' must be a table", "opens")
    refuse("has no 'member'", { value = 1 })
    refuse("has no 'value'", { member = "opens" })
    refuse("unknown option 'most'", { member = "opens", value = 1, most = 2 })
    assert(store.get("things", "listed").n == 4)
  end,

  ["many lists at once"] = function()
    local counts, seen = {}, {}
    assert(store.create("things", "lists", {}))
    for i = 1, 50 do
      counts[i] = function()
        return assert(store.increment("things", "lists",
          { counter = "n", append = { member = "opens", value = { i = i } } }))
      end
    end
    task.all(counts)
    local document = store.get("things", "lists")
    for _, value in ipairs(document.opens) do seen[value.i] = true end
    assert(document.n == 50 and #document.opens == 50 and #seen == 50)
  end,

  ["many at once"] = function()
    local counts = {}
    assert(store.create("things", "many", {}))
    for i = 1, 50 do
      counts[i] = function() return assert(store.increment("things", "many", { counter = "n" })) end
    end
    task.all(counts)
    assert(store.get("things", "many").n == 50)
  end,

  ["a listing, page by page"] = function()
    assert(#store.query("listed").documents == 0)
    for i = 1, 5 do
      local document = { created_at = ("2026-01-0%dT00:00:00Z"):format(i) }
      document.status = i % 2 == 1 and "odd" or "even"
      assert(store.create("listed", "d" .. i, document))
    end
    local page = assert(store.query("listed", { status = "odd", limit = 2 }))
    assert(#page.documents == 2 and page.documents[1].id == "d5")
    local entry = page.documents[2]
    local document, version = store.get("listed", "d3")
    assert(entry.id == "d3" and entry.version == version)
    assert(json.encode(entry.document) == json.encode(document))
    page = assert(store.query("listed",
      { status = "odd", limit = 2, page_token = page.next_page_token }))
    assert(#page.documents == 1 and page.documents[1].id == "d1" and page.next_page_token == nil)
  end,

  ["a listing of what waits"] = function()
    local kinds = { "held", "failed" }
    for i = 1, 6 do
      assert(store.create("waiting", "w" .. i, {
        created_at = ("2026-01-0%dT00:00:00Z"):format(i), status = "pending",
        waiting = kinds[i % 3],
      }))
    end
    local page = assert(store.query("waiting", { waiting = "held", limit = 1 }))
    assert(#page.documents == 1 and page.documents[1].id == "w4")
    page = assert(store.query("waiting", { waiting = "held", page_token = page.next_page_token }))
    assert(#page.documents == 1 and page.documents[1].id == "w1" and not page.next_page_token)
    page = store.query("waiting", { waiting = "failed", before = "2026-01-05T00:00:00Z" })
    assert(#page.documents == 1 and page.documents[1].id == "w2")

    assert(store.update("waiting", "w4", { status = "sent" }, { remove = { "waiting" } }))
    assert(store.update("waiting", "w3", { waiting = "held" }))
    page = store.query("waiting", { waiting = "held" })
    assert(#page.documents == 2 and page.documents[1].id == "w3" and page.documents[2].id == "w1")
    assert(store.delete("waiting", "w1"))
    assert(#store.query("waiting", { waiting = "held" }).documents == 1)
    assert(#store.query("waiting", { waiting = "approved" }).documents == 0)
    raises("'status' and 'waiting'", store.query, "waiting", { status = "a", waiting = "b" })
  end,

  ["how many there are"] = function()
    assert(store.count("counted") == 0 and store.count("counted", { status = "odd" }) == 0)
    for i = 1, 7 do
      assert(store.create("counted", "c" .. i, {
        created_at = ("2026-01-0%dT00:00:00Z"):format(i), status = i % 2 == 1 and "odd" or "even",
        waiting = i == 3 and "held" or nil,
      }))
    end
    assert(store.create("uncounted", "c1", { status = "odd" }))
    assert(store.count("counted") == 7 and math.type(store.count("counted")) == "integer")
    assert(store.count("counted", { status = "odd" }) == 4)
    assert(store.count("counted", { waiting = "held" }) == 1)
    assert(store.count("counted", { waiting = "failed" }) == 0)
    assert(store.count("counted", { status = "odd", most = 4 }) == 4)
    assert(store.count("counted", { status = "odd", most = 3 }) == 4)
    assert(store.count("counted", { status = "odd", most = 2 }) == 3)
    assert(store.count("counted", { most = 1 }) == 2)
    for _, most in ipairs { 0, 10001, -1, 1.5 } do
      raises("option 'most' must be an integer from 1 to 10000", store.count, "counted",
        { most = most })
    end
    raises("'status' and 'waiting'", store.count, "counted", { status = "a", waiting = "b" })
    raises("unknown option 'limit'", store.count, "counted", { limit = 1 })
    raises("string expected", store.count)
  end,

  ["a listing of what is older"] = function()
    for i = 1, 3 do
      assert(store.create("aged", "a" .. i, { created_at = ("2026-01-0%dT00:00:00Z"):format(i) }))
    end
    local page = assert(store.query("aged", { before = "2026-01-03T01:00:00+01:00", limit = 1 }))
    assert(#page.documents == 1 and page.documents[1].id == "a2")
    page = assert(store.query("aged", { page_token = page.next_page_token }))
    assert(#page.documents == 1 and page.documents[1].id == "a1")
  end,

  ["documents are written together, or none of them"] = function()
    local function with(...)
      local list = {}
      for i, id in ipairs { ... } do
        list[i] = { collection = "beside " .. i, id = id, document = { n = i, id = id } }
      end
      return list
    end
    local function there(i, id) return store.get("beside " .. i, id) end

    local version = assert(store.create("things", "with", { a = 1 }, { with = with("c", "c") }))
    assert(select(2, store.get("things", "with")) == version)
    assert(there(1, "c").id == "c" and there(2, "c").n == 2)
    refused("already_exists", nil, store.create("things", "with", {}, { with = with("c2") }))
    assert(not there(1, "c2"))

    version = assert(store.update("things", "with", { a = 2 },
      { version = version, with = with("u") }))
    assert(select(2, store.get("things", "with")) == version and there(1, "u"))
    refused("conflict", nil,
      store.update("things", "with", { a = 3 }, { version = "0", with = with("u2") }))
    assert(select("#", store.update("things", "absent", {}, { with = with("u3") })) == 1)
    assert(not there(1, "u2") and not there(1, "u3"))

    assert(store.increment("things", "with", { counter = "n", first = "f", with = with("i") }))
    assert(store.increment("things", "absent", { counter = "n", with = with("i2") }) == false)
    assert(there(1, "i") and not there(1, "i2") and store.get("things", "with").n == 1)

    local claim = assert(store.claim("things", "with", select(2, store.get("things", "with")), {},
      { with = with("t") }))
    assert(claim:note({}, { with = with("n") }))
    assert(claim:finish("sent", {}, { with = with("f") }))
    assert(there(1, "t") and there(1, "n") and there(1, "f"))
    local ok, message = pcall(claim.note, claim, {})
    assert(not ok and message:find("this claim is finished", 1, true))
    claim = assert(store.claim("things", "with", select(2, store.get("things", "with")), {}))
    assert(store.update("things", "with", { a = 4 }))
    refused("conflict", nil, claim:note({}, { with = with("n2") }))
    assert(not there(1, "n2"))
  end,

  ["what is written with a document takes the place of what was there"] = function()
    local blob = testing.blob
    assert(store.create("beside", "old", { a = 1 }, { parts = { blob("part") } }))
    assert(store.create("things", "over", {},
      { with = { { collection = "beside", id = "old", document = { b = 2 } } } }))
    local document, version = store.get("beside", "old")
    assert(json.encode(document) == json.encode { b = 2 })
    assert(store.update("beside", "old", { c = 3 }, { version = version }))
    assert(json.encode((store.get("beside", "old"))) == json.encode { b = 2, c = 3 })
    assert(#store.parts("beside", "old") == 0)
  end,

  ["what cannot be written with a document is refused with it"] = function()
    local function create(with) return store.create("things", "alone", {}, { with = with }) end
    local function one(id, document)
      return create { { collection = "beside", id = id, document = document } }
    end
    refused("invalid_field", "id", one("a/b", {}))
    local ok, err = one("nan", { n = 0 / 0 })
    assert(not ok and err.code == "invalid_field", err.message)
    raises("a document is no list", one, "list", { 1 })
    raises("'with' must be a table", create, "text")
    raises("'with' must be a list of tables", create, { "text" })
    raises("has a collection, an id and a document", create, { { id = "a", document = {} } })
    raises("unknown option 'parts'", create,
      { { collection = "a", id = "a", document = {}, parts = {} } })
    raises("must not hold more than 4 documents", create, { {}, {}, {}, {}, {} })
    assert(not store.get("things", "alone") and not store.get("beside", "list"))
  end,

  ["misuse raises"] = function()
    raises("unknown option 'versoin'", store.delete, "things", "a", { versoin = "1" })
    raises("unknown option '1'", store.create, "things", "a", {}, { "parts" })
    raises("option 'version' must be a string", store.update, "things", "a", {}, { version = 1 })
    raises("list of blobs", store.create, "things", "a", {}, { parts = { "text" } })
    raises("list of names", store.update, "things", "a", {}, { remove = { 1 } })
    raises("a document is no list", store.create, "things", "a", { 1, 2 })
    raises("'counter' is missing", store.increment, "things", "a", {})
    for _, limit in ipairs { 0, 201, -1, 1.5 } do
      raises("option 'limit'", store.query, "things", { limit = limit })
    end
    raises("option 'before' must be an RFC 3339 time", store.query, "things", { before = "now" })
    raises("table expected", store.create, "things", "a", "text")
    raises("string expected", store.get, "things")
    assert(store.get("things", "a") == nil)
  end,
}
