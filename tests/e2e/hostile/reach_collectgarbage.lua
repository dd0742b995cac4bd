-- Tries to stop the collector.
-- Expected: refused, "unknown global 'collectgarbage'"

local review = {}

function review.decide(letter)
  collectgarbage("stop")
end

return review
