local json = require "paraph.json"
local testing = require "paraph.testing"

local function raises(pattern, f, ...)
  local ok, message = pcall(f, ...)
  assert(not ok, "did not raise")
  assert(tostring(message):find(pattern, 1, true), tostring(message))
end

return {
  ["length and text"] = function()
    local blob = testing.blob("Zoë")
    assert(#blob == 4)
    assert(blob:string() == "Zoë")
    assert(testing.blob("a\0b"):string() == "a\0b")
    assert(#testing.blob("") == 0 and testing.blob(""):string() == "")
  end,

  ["tostring tells the size, never the content"] = function()
    assert(tostring(testing.blob("secret")) == "blob: 6 bytes")
  end,

  ["string() has a ceiling"] = function()
    local blob = testing.blob("12345")
    assert(blob:string(5) == "12345")
    raises("5 bytes", blob.string, blob, 4)
    raises("negative", blob.string, blob, -1)
    assert(#testing.blob(("x"):rep(1 << 20)):string() == 1 << 20)
    raises("1048577 bytes", function() testing.blob(("x"):rep((1 << 20) + 1)):string() end)
  end,

  ["find tells where a text begins"] = function()
    local blob = testing.blob("a.b\0a.b")
    assert(blob:find("a.b") == 1)
    assert(blob:find("a.b", 1) == 1 and blob:find("a.b", 2) == 5 and blob:find("a.b", 6) == nil)
    assert(blob:find("\0") == 4 and blob:find("b\0a") == 3)
    assert(blob:find("x") == nil and blob:find("a.b\0a.b ") == nil)
    assert(blob:find(".", -2) == 6 and blob:find("a", -100) == 1 and blob:find("a", 0) == 1)
    assert(blob:find("") == 1 and blob:find("", 8) == 8)
    for _, from in ipairs { 9, 100, math.maxinteger } do assert(blob:find("", from) == nil) end
    assert(testing.blob(""):find("") == 1 and testing.blob(""):find("a") == nil)
    raises("bad argument", blob.find, blob)
    raises("bad argument", blob.find, blob, "a", "b")
  end,

  ["slice cuts as string.sub does"] = function()
    local text = "abcdef"
    local blob = testing.blob(text)
    for from = -8, 8 do
      assert(blob:slice(from):string() == text:sub(from), from)
      for to = -8, 8 do
        assert(blob:slice(from, to):string() == text:sub(from, to), from .. " to " .. to)
      end
    end
    assert(blob:slice(math.mininteger, math.maxinteger):string() == text)
    assert(#testing.blob(""):slice(1) == 0)
    raises("bad argument", blob.slice, blob)
  end,

  ["a slice outlives what it was cut from"] = function()
    local slice
    do
      local blob <close> = testing.blob(("x"):rep(5000) .. "end")
      local middle <close> = blob:slice(4000)
      slice = middle:slice(-4)
      assert(middle:find("end") == 1002)
    end
    assert(slice:string() == "xend" and #slice == 4 and slice:find("end") == 2)
    assert(slice:base64_encode():string() == "eGVuZA==")
  end,

  ["slices of slices hold the whole alone"] = function()
    local slice = testing.blob("abc")
    for _ = 1, 200000 do slice = slice:slice(1) end
    assert(slice:string() == "abc")
  end,

  ["base64 there and back"] = function()
    for _, case in ipairs {
      { "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" }, { "foob", "Zm9vYg==" },
      { "fooba", "Zm9vYmE=" }, { "foobar", "Zm9vYmFy" },
    } do
      local plain, spelt = case[1], case[2]
      assert(testing.blob(plain):base64_encode():string() == spelt)
      assert(testing.blob(spelt):base64_decode():string() == plain)
    end
    assert(testing.blob("_-8"):base64_decode():string() == "\xff\xef")
    assert(testing.blob("AAA="):base64_decode():string() == "\0\0")
  end,

  ["what is not base64 is refused, not raised"] = function()
    for _, text in ipairs { "Zg=a", "Z", "Zm9v!", "+_==" } do
      local decoded, err = testing.blob(text):base64_decode()
      assert(decoded == nil)
      assert(err.code == "invalid_field" and err.status == 400, err.code)
      assert(#err.message > 0)
    end
  end,

  ["sha256"] = function()
    assert(testing.blob("abc"):sha256() ==
      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    assert(testing.blob(""):sha256() ==
      "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
  end,

  ["a closed blob is gone"] = function()
    local outer
    do
      local blob <close> = testing.blob("abc")
      outer = blob
      assert(#outer == 3)
    end
    assert(tostring(outer) == "blob: closed")
    raises("closed", function() return #outer end)
    raises("closed", outer.string, outer)
    raises("closed", outer.sha256, outer)
    raises("closed", outer.find, outer, "a")
    raises("closed", outer.slice, outer, 1)
    raises("closed", outer.base64_encode, outer)
    raises("closed", outer.base64_decode, outer)
    raises("closed", json.decode, outer)
  end,

  ["close lets go at once, and twice does no harm"] = function()
    local blob = testing.blob("abc")
    local slice = blob:slice(2)
    blob:close()
    blob:close()
    raises("closed", blob.string, blob)
    assert(slice:string() == "bc")
  end,

  ["methods take blobs alone"] = function()
    local blob = testing.blob("abc")
    raises("paraph.blob", blob.sha256, "abc")
    raises("paraph.blob", blob.sha256, {})
    raises("paraph.blob", blob.sha256)
  end,

  ["the type is sealed"] = function()
    local blob = testing.blob("abc")
    assert(getmetatable(blob) == "paraph.blob")
    assert(blob.nothing == nil)
    assert(not pcall(function() blob.string = print end))
  end,

  ["garbage blobs do not pile up"] = function()
    local alive, most = setmetatable({}, { __mode = "v" }), 0
    local source = testing.blob(("x"):rep(1 << 16))
    for i = 1, 300 do
      alive[i] = source:base64_encode()
      local n = 0
      for _ in pairs(alive) do
        n = n + 1
      end
      most = math.max(most, n)
    end
    assert(most < 50, most .. " blobs at once")
  end,
}
