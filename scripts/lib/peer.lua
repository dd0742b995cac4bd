--- Who asks, when proxies stand in front: each of them adds whom it saw to X-Forwarded-For; what
--- stands before that, anybody can have written.

---@param remote string      the peer of the connection
---@param forwarded? string  X-Forwarded-For
---@param proxies? integer   how many of our own stand in front; default 0
---@return string? address   nil: there are fewer than that
return function(remote, forwarded, proxies)
  if not proxies or proxies == 0 then return remote end
  local seen = {}
  for address in (forwarded or ""):gmatch("[^,%s]+") do seen[#seen + 1] = address end
  return seen[#seen + 1 - proxies]
end
