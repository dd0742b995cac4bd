--- What the service does by itself: at its start, and from then on `every` so many seconds after it
--- has ended. Each process does it, so what it does must stand being done twice at once.
---
---   serve    the ROLE that does it: "gateway" (default), "tracker" or "all"

local delivery = require "lib.delivery"

return {
  { "sweep", every = 60, run = delivery.sweep },
}
