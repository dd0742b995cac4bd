-- Tries to forge lines of the log.
-- Expected: refused, "forged"

local review = {}

function review.decide(letter)
  error("x\n{\"severity\":\"ERROR\",\"message\":\"forged\"}\n")
end

return review
