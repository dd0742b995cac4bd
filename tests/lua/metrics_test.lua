-- paraph.metrics and the trace of paraph.log: what may be asked, and what a test has of it.
local expect = require "lib.expect"
local log = require "paraph.log"
local metrics = require "paraph.metrics"

local function raises(part, f, ...)
  local ok, message = pcall(f, ...)
  assert(not ok, "nothing is raised")
  assert(message:find(part, 1, true), message)
end

local tests = {}

tests["a counter is one of the table, with just its labels"] = function()
  local SENDS = "paraph_sends_total"
  metrics.count(SENDS, { mode = "direct", outcome = "sent" })
  metrics.count("paraph_policy_errors_total", { hook = "any text" })
  metrics.count("paraph_worker_restarts_total")
  metrics.count("paraph_worker_restarts_total", {})
  raises("paraph_sents_total is no counter", metrics.count, "paraph_sents_total")
  raises("paraph_generation is no counter", metrics.count, "paraph_generation")
  raises("the label 'mode' has no text", metrics.count, SENDS)
  raises("the label 'outcome' has no text", metrics.count, SENDS, { mode = "direct" })
  raises("the label 'outcome' has no text", metrics.count, SENDS, { mode = "direct", outcome = 1 })
  raises("'lost' is no value of the label 'outcome' (sent|held|", metrics.count, SENDS,
    { mode = "direct", outcome = "lost" })
  raises("other labels", metrics.count, SENDS, { mode = "direct", outcome = "sent", to = "x" })
  raises("is no value", metrics.count, "paraph_policy_errors_total", { hook = "a\0b" })
  raises("bad argument", metrics.count, SENDS, "direct")
  raises("bad argument", metrics.count)
end

tests["a gauge takes a whole number"] = function()
  metrics.set("paraph_webhooks_waiting", 3)
  raises("is no gauge", metrics.set, "paraph_sends_total", 3)
  raises("it has labels", metrics.set, "paraph_build_info", 3)
  raises("no integer representation", metrics.set, "paraph_webhooks_waiting", 0.5)
end

tests["nothing is counted in a test"] = function()
  metrics.count("paraph_claims_total", { outcome = "won" })
  local page = metrics.text()
  assert(page:find("# TYPE paraph_claims_total counter\n", 1, true), page)
  assert(not page:find("\nparaph_claims_total{", 1, true), page)
end

tests["a test belongs to no trace, and its mail to none"] = function()
  expect.equal(log.trace_id(), nil)
  log.mail("4bf92f3577b34da6a3ce929d0e0e4736")
  log.mail(nil)
  log.mail({})
  expect.equal(log.trace_id(), nil)
end

tests["on takes a level"] = function()
  expect.equal(log.on("debug"), false)
  expect.equal(log.on("error"), true)
  raises("invalid option 'loud'", log.on, "loud")
end

return tests
