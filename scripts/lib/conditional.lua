--- `return conditional(req, etag, make)`: the reply with its ETag, or 304 for who has it already
--- (RFC 9110 §13.1.2), for whom none is made.

---@param req paraph.request
---@param etag string                  with its quotes
---@param make fun(): paraph.reply     without headers
---@return paraph.reply
return function(req, etag, make)
  local headers = { ETag = etag, ["Cache-Control"] = "no-cache" }
  local known = req.headers["if-none-match"]
  if known and (known == "*" or known:find(etag, 1, true)) then
    return { status = 304, headers = headers }
  end
  local reply = make()
  reply.headers = headers
  return reply
end
