-- Tries to take memory again and again, and swallow the error.
-- Expected: stopped, "ran for more than"

local review = {}

function review.decide(letter)
  local t = {}
  while true do pcall(function() t[#t + 1] = ("x"):rep(1000000) end) end
end

return review
