local body = require "lib.body"
local expect = require "lib.expect"
local testing = require "paraph.testing"

local function request(text, content_type)
  return { headers = { ["content-type"] = content_type }, body = text and testing.blob(text) }
end

local ANY = { type = "object" }

local tests = {
  ["no body at all"] = function()
    expect.refused("malformed_json", nil, body.read(request(nil), ANY))
    expect.refused("malformed_json", nil, body.read(request(""), ANY))
  end,

  ["not JSON"] = function()
    expect.refused("malformed_json", nil, body.read(request("{"), ANY))
    expect.refused("malformed_json", nil, body.read(request("to=ann"), ANY))
  end,

  ["JSON, but no object"] = function()
    for _, text in ipairs { "[]", "1", "null", "false", '"x"' } do
      local err = expect.refused("invalid_field", nil, body.read(request(text), ANY))
      expect.equal(err.field, nil)
    end
  end,
}

for _, kind in ipairs {
  "application/json", "Application/JSON; charset=utf-8", "application/problem+json",
  " application/json ;x=y",
} do
  tests["takes " .. kind] = function()
    expect.equal(body.read(request('{"a":1}', kind), ANY), { a = 1 })
  end
end

for _, kind in ipairs {
  "text/plain", "application/x-www-form-urlencoded", "application/jsonx", "text/json", "json",
  "+json", "",
} do
  tests["refuses the type '" .. kind .. "'"] = function()
    expect.refused("unsupported_media_type", nil, body.read(request("{}", kind), ANY))
  end
end

return tests
