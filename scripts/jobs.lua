--- What the service does by itself: at its start, and from then on `every` so many seconds after it
--- has ended. Each process does it, so what it does must stand being done twice at once.
---
---   serve    the ROLE that does it: "gateway" (default), "tracker" or "all"

local approvals = require "lib.approvals"
local config = require "paraph.config"
local delivery = require "lib.delivery"
local idempotency = require "lib.idempotency"
local quota = require "lib.quota"
local sign_in = require "pages.sign_in"
local webhooks = require "lib.webhooks"

local jobs = {
  { "leave", every = 60, run = approvals.leave },
  { "sweep", every = 60, run = delivery.sweep },
  { "expire keys", every = 3600, run = idempotency.sweep },
  { "expire counts", every = 3600, run = quota.sweep },
  { "expire sessions", every = 3600, run = sign_in.sweep },
}

for n = 1, config.webhooks_delivered and config.webhooks or 0 do
  jobs[#jobs + 1] = { webhooks.job(n), every = 60, serve = "all",
    run = function() webhooks.deliver(n) end }
end

return jobs
