-- Tries to have its event found among those of another trace.
-- Expected: refused, "is set by the log itself"

local log = require "paraph.log"

local review = {}

function review.decide(letter)
  for _, name in ipairs { "trace_id", "mail_trace_id", "httpRequest" } do
    assert(not pcall(log.info, "x", { [name] = "another" }), name)
  end
  log.info("x", { ["logging.googleapis.com/trace"] = "another" })
end

return review
