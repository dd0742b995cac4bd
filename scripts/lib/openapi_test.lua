local description = require "api.description"
local errors = require "paraph.errors"
local expect = require "lib.expect"
local json = require "paraph.json"
local openapi = require "lib.openapi"

local tests = {}

tests["each code there is has a meaning, and no other"] = function()
  for code in pairs(errors.statuses()) do expect.equal(type(description.codes[code]), "string") end
  for code in pairs(description.codes) do expect.equal(type(errors.statuses()[code]), "number") end
end

local function schema_of(path, verb)
  local document = json.decode(openapi.text())
  return document.paths[path][verb].requestBody.content["application/json"].schema
end

tests["null stands for the absence of a member, unless it has to be there"] = function()
  local posted = schema_of("/", "post").properties
  local edited = schema_of("/drafts/{id}", "patch").properties
  expect.equal({ posted.to.type, posted.subject.type }, { { "string", "array" }, "string" })
  expect.equal(edited.subject.type, { "string", "null" })
  expect.equal(edited.format.enum, { "text", "markdown", "html", json.null })
end

tests["unknown members of a request are refused, but where anything goes"] = function()
  local posted = schema_of("/", "post")
  expect.equal(posted.additionalProperties, false)
  expect.equal(posted.properties.attachments.items.additionalProperties, false)
  expect.equal(posted.properties.metadata, { type = { "object", "null" } })
end

tests["formats of ours are patterns"] = function()
  local subject = schema_of("/", "post").properties.subject
  expect.equal(subject.format, nil)
  expect.holds(subject.pattern, "\\u2028")
  expect.equal(schema_of("/send-draft", "post").properties.draft_id.format, "uuid")
end

tests["what validates is not changed by being published"] = function()
  local message = require "lib.message"
  openapi.text()
  expect.equal(message.patch.properties.subject.type, "string")
  expect.equal(message.patch.properties.subject.format, "line")
end

return tests
