local fetch = require "paraph.fetch"
local task = require "paraph.task"
local testing = require "paraph.testing"

-- A port that is never served: reserved (tcpmux), and below those that a test could open.
local NOBODY = "http://127.0.0.1:1/path?key=topsecret"

local function raises(pattern, f, ...)
  local ok, message = pcall(f, ...)
  assert(not ok, "did not raise")
  assert(tostring(message):find(pattern, 1, true), tostring(message))
end

local function assert_refused(reply, err)
  assert(reply == nil)
  assert(err.code == "fetch_error", err.code)
  assert(err.status == 502)
  assert(err.sent == false)
  assert(err.message:find("http://127.0.0.1:1", 1, true), err.message)
  assert(not err.message:find("topsecret", 1, true), err.message)
end

local tests = {
  ["a refused connection is an error, not a raise"] = function()
    assert_refused(fetch { url = NOBODY })
    assert_refused(fetch {
      url = NOBODY, method = "POST", body = "text", timeout = 1.5, max_bytes = 10,
      headers = { ["X-One"] = "topsecret", Authorization = "Bearer topsecret" },
    })
    assert_refused(fetch { url = NOBODY, method = "PUT", body = testing.blob("bytes") })
  end,

  ["many at the same time"] = function()
    local branches = {}
    for i = 1, 20 do
      branches[i] = function() return fetch { url = NOBODY } end
    end
    for _, result in ipairs(task.all(branches)) do
      assert_refused(result[1], result[2])
    end
  end,

  ["unknown options raise"] = function()
    raises("unknown option 'retries'", fetch, { url = NOBODY, retries = 3 })
    raises("unknown option 'URL'", fetch, { URL = NOBODY })
    raises("unknown option '1'", fetch, { NOBODY })
  end,

  ["options of the wrong type raise"] = function()
    raises("bad argument", fetch, NOBODY)
    raises("bad argument", fetch)
    raises("url is missing", fetch, {})
    raises("url must be a string, not number", fetch, { url = 1 })
    raises("method must be a string", fetch, { url = NOBODY, method = false })
    raises("headers must be a table", fetch, { url = NOBODY, headers = "X: 1" })
    raises("a header's value must be a string", fetch, { url = NOBODY, headers = { X = 1 } })
    raises("a header's name must be a string", fetch, { url = NOBODY, headers = { "X: 1" } })
    raises("body must be a string or an open blob", fetch, { url = NOBODY, body = {} })
    raises("body must be a string or an open blob", fetch, { url = NOBODY, body = 42 })
    for _, timeout in ipairs { 0, -1, 0 / 0, math.huge, 86401, "1", false } do
      raises("timeout must be", fetch, { url = NOBODY, timeout = timeout })
    end
    for _, max in ipairs { 0, -1, 1.5, math.huge, 1 << 40, "1", false } do
      raises("max_bytes must be", fetch, { url = NOBODY, max_bytes = max })
    end
  end,

  ["a closed blob is no body"] = function()
    local blob = testing.blob("bytes")
    do
      local _ <close> = blob
    end
    raises("body must be a string or an open blob", fetch, { url = NOBODY, body = blob })
  end,

  ["a malformed request raises"] = function()
    for _, url in ipairs {
      "", "127.0.0.1", "/path", "ftp://127.0.0.1/", "file:///etc/passwd", "http://",
      "http://a b/", "http://a/\nX: 1",
    } do
      raises("the URL is not an absolute http or https address", fetch, { url = url })
    end
    raises("url has a NUL character", fetch, { url = "http://a/\0b" })
    raises("the method is not an HTTP token", fetch, { url = NOBODY, method = "GE T" })
    raises("a header's name is not an HTTP token", fetch, { url = NOBODY, headers = { [""] = "" } })
    raises("a header's name is not an HTTP token", fetch,
      { url = NOBODY, headers = { ["X: 1\r\nY"] = "2" } })
    raises("control characters", fetch, { url = NOBODY, headers = { X = "a\r\nY: b" } })
    raises("NUL character", fetch, { url = NOBODY, headers = { X = "a\0b" } })
    raises("not for callers", fetch, { url = NOBODY, headers = { ["content-length"] = "1" } })
  end,

  ["it cannot wait inside a callback of gsub"] = function()
    raises("cannot wait here", string.gsub, "x", "x", function() fetch { url = NOBODY } end)
  end,
}

if not testing.is_scratch() then
  tests["metadata servers are not for scripts, however they are spelled"] = function()
    for _, host in ipairs { "169.254.169.254", "2852039166", "[fe80::1]", "[::ffff:a9fe:a9fe]",
      "[fd20:ce::254]" } do
      local reply, err = fetch { url = "http://" .. host .. ":1/computeMetadata" }
      assert(reply == nil and err.code == "fetch_error" and err.sent == false, err and err.message)
      assert(err.message:find("link-local", 1, true), err.message)
    end
  end
end

return tests
