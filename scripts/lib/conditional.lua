--- `return conditional(req, etag, reply)`: the reply with its ETag, or 304 for who has it already
--- (RFC 9110 §13.1.2).

---@param req paraph.request
---@param etag string          with its quotes
---@param reply paraph.reply   without headers
---@return paraph.reply
return function(req, etag, reply)
  local headers = { ETag = etag, ["Cache-Control"] = "no-cache" }
  local known = req.headers["if-none-match"]
  if known and (known == "*" or known:find(etag, 1, true)) then
    return { status = 304, headers = headers }
  end
  reply.headers = headers
  return reply
end
