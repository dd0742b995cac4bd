-- Tries to convert HTML that is nested deeply.
-- Expected: harmless

local text = require "paraph.text"

local review = {}

function review.decide(letter)
  text.from_html(("<b>"):rep(100000))
  return "send"
end

return review
