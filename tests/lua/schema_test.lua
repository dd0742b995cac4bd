local expect = require "lib.expect"
local json = require "paraph.json"
local schema = require "lib.schema"

local LETTER = {
  type = "object", required = { "to" },
  properties = {
    to = { type = { "string", "array" }, maxItems = 2, items = { type = "string" } },
    subject = { type = "string", format = "line", minLength = 1, maxLength = 5 },
    note = { type = "string", format = "text" },
    mode = { type = "string", enum = { "draft", "send" } },
    tracking = { type = "boolean" },
    count = { type = "integer", minimum = 1, maximum = 3 },
    id = { type = "string", format = "uuid" },
    metadata = { type = "object" },
    parts = {
      type = "array",
      items = {
        type = "object", required = { "name" },
        properties = { name = { type = "string" }, note = { type = "string" } },
      },
    },
  },
}

local function check(text)
  return schema.check(LETTER, assert(json.decode(text)))
end

local accepted = {
  '{"to":"a"}',
  '{"to":[]}',
  '{"to":["a","b"]}',
  '{"to":"a","subject":"ÄÖÜßé"}',
  '{"to":"a","mode":"send","tracking":false,"count":3}',
  '{"to":"a","id":"6ba7b810-9dad-11d1-80b4-00c04fd430c8"}',
  '{"to":"a","metadata":{"any":[1,{"thing":null}]}}',
  '{"to":"a","parts":[{"name":"x"},{"name":"y","note":null}]}',
  '{"to":"a","subject":null}',
}

--- { JSON, code, field }
local refused = {
  { '[]', "invalid_field" },
  { '"to"', "invalid_field" },
  { 'null', "invalid_field" },
  { '{}', "invalid_field", "to" },
  { '{"to":null}', "invalid_field", "to" },
  { '{"to":1}', "invalid_field", "to" },
  { '{"to":{}}', "invalid_field", "to" },
  { '{"to":["a",1]}', "invalid_field", "to[1]" },
  { '{"to":["a","b","c"]}', "invalid_field", "to" },
  { '{"to":"a","subject":""}', "invalid_field", "subject" },
  { '{"to":"a","subject":"abcdef"}', "invalid_field", "subject" },
  { '{"to":"a","subject":"a\\r\\nb"}', "invalid_field", "subject" },
  { '{"to":"a","subject":"a\\u007f"}', "invalid_field", "subject" },
  { '{"to":"a","subject":"a\\u0085"}', "invalid_field", "subject" },
  { '{"to":"a","subject":"a\\u2028"}', "invalid_field", "subject" },
  { '{"to":"a","note":"a\\u0000"}', "invalid_field", "note" },
  { '{"to":"a","mode":"now"}', "invalid_field", "mode" },
  { '{"to":"a","mode":true}', "invalid_field", "mode" },
  { '{"to":"a","tracking":"no"}', "invalid_field", "tracking" },
  { '{"to":"a","count":0}', "invalid_field", "count" },
  { '{"to":"a","count":4}', "invalid_field", "count" },
  { '{"to":"a","count":1.5}', "invalid_field", "count" },
  { '{"to":"a","id":"no-uuid"}', "invalid_field", "id" },
  { '{"to":"a","metadata":[]}', "invalid_field", "metadata" },
  { '{"to":"a","metadata":"x"}', "invalid_field", "metadata" },
  { '{"to":"a","parts":[{"name":"x"},{}]}', "invalid_field", "parts[1].name" },
  { '{"to":"a","parts":[{"name":"x","size":1}]}', "unknown_field", "parts[0].size" },
  { '{"to":"a","parts":[null]}', "invalid_field", "parts[0]" },
  { '{"to":"a","too":"b"}', "unknown_field", "too" },
  { '{"to":"a","":"b"}', "unknown_field", '""' },
  { '{"to":"a","parts":[{"name":"x","":1}]}', "unknown_field", 'parts[0].""' },
  { '{"to":"a","too":null}', "unknown_field", "too" },
}

local tests = {}

for _, text in ipairs(accepted) do
  tests["accepts " .. text] = function() assert(check(text)) end
end

for _, case in ipairs(refused) do
  tests["refuses " .. case[1]] = function()
    local err = expect.refused(case[2], case[3], check(case[1]))
    expect.equal(err.field, case[3])
    if err.field then expect.holds(err.message, err.field .. ": ") end
  end
end

tests["null members are taken away, but not from objects that take anything"] = function()
  local value = check [[
    { "to": "a", "subject": null, "metadata": { "x": null },
      "parts": [{ "name": "n", "note": null }] }]]
  expect.equal(value, { to = "a", metadata = { x = json.null }, parts = { { name = "n" } } })
end

tests["names of unknown members are cut between characters"] = function()
  local err = expect.refused("unknown_field", nil, check('{"to":"a","' .. ("é"):rep(500) .. '":1}'))
  expect.equal(err.field, ("é"):rep(32) .. "…")
  err = expect.refused("unknown_field", nil, check('{"to":"a","x' .. ("é"):rep(500) .. '":1}'))
  expect.equal(err.field, "x" .. ("é"):rep(31) .. "…")
end

return tests
