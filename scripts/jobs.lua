--- What the service does by itself: at its start, and from then on `every` so many seconds after it
--- has ended. Each process does it, so what it does must stand being done twice at once.
---
---   serve    the ROLE that does it: "gateway" (default), "tracker" or "all"

local approvals = require "lib.approvals"
local delivery = require "lib.delivery"
local idempotency = require "lib.idempotency"
local quota = require "lib.quota"
local sign_in = require "pages.sign_in"

return {
  { "leave", every = 60, run = approvals.leave },
  { "sweep", every = 60, run = delivery.sweep },
  { "expire keys", every = 3600, run = idempotency.sweep },
  { "expire counts", every = 3600, run = quota.sweep },
  { "expire sessions", every = 3600, run = sign_in.sweep },
}
