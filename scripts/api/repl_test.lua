--- What the log keeps of what operators type.

local expect = require "lib.expect"
local repl = require "api.repl"
local testing = require "paraph.testing"

local tests = {}

local ID = "11111111-1111-4111-8111-111111111111"

tests["nothing of a text is told"] = testing.cases({
  { line = ":drafts pending", told = ":drafts pending" },
  { line = ":show " .. ID, told = ":show " .. ID },
  { line = 'drafts.load("' .. ID .. '")', told = "drafts.load(«" .. ID .. "»)" },
  { line = [[:send {"to": "ann@example.com", 'x': 'it is "so"'}]],
    told = ":send {«…»: «…», «…»: «…»}" },
  { line = [[x = "a\"secret\"" .. 'secret']], told = "x = «…» .. «…»" },
  { line = [[x = "secret]], told = "x = …" },
  { line = "x = [==[secret]==] y", told = "x = …" },
  { line = "x = 1 -- secret", told = "x = 1 …" },
  { line = [[x = "a--secret" .. "secret"]], told = "x = …" },
  { line = [[x = '"' .. [=[it's "secret]] .. "]=]", told = "x = «…» .. …" },
}, function(row) expect.equal(repl.without_texts(row.line), row.told) end)

return tests
