-- Tries to open a file.
-- Expected: refused, "unknown global 'io'"

local review = {}

function review.decide(letter)
  return io.open("/etc/passwd"):read("a")
end

return review
