local cjson = require "cjson"
local expect = require "lib.expect"
local json = require "paraph.json"

--- Values that lua-cjson carries too: its numbers are all floats, its empty tables all objects.
local carried = {
  true, false, "", "text", "quote \" backslash \\ tab \t line \n nul \0", "\u{e9}\u{20ac}\u{1f600}",
  0, 1, -1, 42, 99999999999999, 0.5, -2.25, 1e100, 1.5e-7, 123456.789,
  { 1, 2, 3 }, { "a", { "b" } }, { a = 1, b = "x", c = { d = true } }, { { a = { 1 } } },
  { json.null, 1 }, { a = json.null }, {},
}

--- A message that a caller may send.
local letter = '{"to":["bob@example.com"],"subject":"Gr\\u00fc\\u00dfe","message":"1\\n2","vars":'
  .. '{"n":7,"list":[1.5,null,true,{"deep":["\\ud83d\\ude00"]}]},"mode":"draft"}'

local refused = {
  { "", "line 1, column 1" },
  { "{", "line 1, column 2" },
  { '{"to": "a",\n "to": "b"}', "line 2, column 2" },
  { '{"to": "a"} {}', "line 1, column 13" },
  { "\u{feff}{}", "line 1, column 1" },
  { '{"a": NaN}', "line 1, column 7" },
  { '{"a": "\xff"}', "line 1, column 8" },
  { '["\\udc00"]', "line 1, column 3" },
}

local tests = {}

tests["lua-cjson reads what we write, and we what it writes"] = function()
  for _, value in ipairs(carried) do
    expect.equal(cjson.decode(json.encode({ value })), { value })
    if value ~= "" then expect.equal(json.decode(cjson.encode({ value })), { value }) end
  end
end

tests["both read a message alike"] = function()
  expect.equal(json.decode(letter), cjson.decode(letter))
  expect.equal(json.null, cjson.null)
end

tests["what lua-cjson loses is kept"] = function()
  expect.equal(json.encode(json.decode("[9007199254740993,100000000000000,3,3.0,[],{}]")),
    "[9007199254740993,100000000000000,3,3.0,[],{}]")
end

tests["members come in the order of their names"] = function()
  local object, names = {}, {}
  for i = 1, 200 do
    object["k" .. i * 7919 % 1000] = i
  end
  for name in json.encode(object):gmatch('"(k%d+)"') do names[#names + 1] = name end
  expect.equal(#names, 200)
  for i = 2, #names do assert(names[i - 1] < names[i]) end
end

tests["what encode() would make is measured"] = function()
  for _, value in ipairs { "é", "\n\0", 1.5, json.null, {}, { a = { 1, true, "x" } }, carried } do
    local bytes = json.measure(value)
    expect.equal(bytes, #json.encode(value))
  end
  expect.equal({ json.measure { a = { 1, { b = "x" } }, c = "é" } }, { 28, 6 })
end

tests["a copy is equal, and shares no table"] = function()
  local value = json.decode('{"a":[],"b":[{"c":null}],"d":1.0,"e":{}}')
  local copy = json.copy(value)
  expect.equal(json.encode(copy), json.encode(value))
  copy.a[1], copy.b[1].c, copy.e.f = 1, 2, 3
  expect.equal(json.encode(value), '{"a":[],"b":[{"c":null}],"d":1.0,"e":{}}')
  expect.equal({ json.copy("x"), json.copy(json.null) }, { "x", json.null })
  local loop = {}
  loop.loop = loop
  expect.raises("256 levels", json.copy, loop)
  local deep = {}
  for _ = 1, 200 do deep = { deep } end
  expect.equal(json.measure(json.copy(deep)), 402)
end

tests["a copy has no metatable but that of arrays"] = function()
  expect.equal(getmetatable(json.copy(setmetatable({}, { __index = { a = 1 } }))), nil)
  expect.equal(json.copy(setmetatable({}, { __index = { a = 1 } })).a, nil)
  local copy = json.copy(json.empty_array)
  copy[1] = "x"
  expect.equal(json.encode(copy), '["x"]')
  expect.equal(json.encode(json.copy { json.empty_array }), "[[]]")
end

tests["a weak table is not read: what it holds may be gone before it is written"] = function()
  expect.raises("weak table", json.encode, { setmetatable({ a = {} }, { __mode = "v" }) })
  local keys = setmetatable({ a = {} }, { __mode = "k" })
  expect.equal(next(keys), "a")
end

tests["malformed texts are refused with line and column"] = function()
  for _, case in ipairs(refused) do
    local err = expect.refused("malformed_json", nil, json.decode(case[1]))
    expect.holds(err.message, "malformed JSON at " .. case[2] .. ":")
  end
end

tests["a number that cannot be carried is named"] = function()
  local text = '{"metadata":{"ids":[1,2,3,123456789012345678901]}}'
  local err = expect.refused("invalid_field", "metadata.ids[3]", json.decode(text))
  expect.equal(err.message, "metadata.ids[3]: the number 123456789012345678901 "
    .. "cannot be carried exactly; send it as a string")
end

tests["contents of attachments stay outside Lua"] = function()
  local text = '{"attachments":[{"filename":"a","content":"QUJD"},{"content":"'
    .. ("A"):rep(2 << 20) .. '"}]}'
  local body = assert(json.decode(text, { blobs = "attachments.*.content" }))
  local first, second = body.attachments[1], body.attachments[2]
  expect.equal(first.filename, "a")
  expect.equal(first.content:string(), "QUJD")
  expect.equal(first.content:base64_decode():string(), "ABC")
  expect.equal(#second.content, 2 << 20)
  expect.equal(json.encode(first), '{"content":"QUJD","filename":"a"}')
end

tests["a blob is a text to decode"] = function()
  local body = json.decode('{"inner":"[1,2]"}', { blobs = "inner" })
  expect.equal(json.decode(body.inner), { 1, 2 })
end

tests["a value that has no JSON raises with its path"] = function()
  local loop = {}
  loop.self = loop
  local cases = {
    ["a.b[1]: JSON has no function"] = { a = { b = { 1, print } } },
    ["x: JSON has no NaN"] = { x = 0 / 0 },
    ["x: a string is not UTF-8 from its byte 2 on"] = { x = "a\xff" },
    ["x: a table must have either the keys 1 to n"] = { x = { 1, a = 2 } },
    ["or contains itself"] = loop,
  }
  for message, value in pairs(cases) do
    local ok, why = pcall(json.encode, value)
    assert(not ok)
    expect.holds(why, message)
  end
end

return tests
