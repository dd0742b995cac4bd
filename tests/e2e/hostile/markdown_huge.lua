-- Tries to convert megabytes of Markdown.
-- Expected: harmless

local text = require "paraph.text"

local review = {}

function review.decide(letter)
  text.markdown_to_html(("*"):rep(1000000))
  return "send"
end

return review
