--- Every route of the service. The host matches, answers 404 and 405, serves HEAD with the GET
--- handler, and enforces what stands here:
---
---   access    a role, a list of roles (any of them), or "public"
---   deadline  seconds; default REQUEST_TIMEOUT
---   serve     the ROLE that serves it: "gateway" (default), "tracker" or "all"
---   waits     true: it only waits, for its client alone: cut off when he leaves, and when the
---             service ends
---
--- `{name}` in a pattern matches one segment of the path and becomes req.params.name.

local drafts = require "api.drafts"
local health = require "api.health"
local messages = require "api.messages"
local metrics = require "api.metrics"
local openapi = require "api.openapi"
local pixel = require "api.pixel"
local repl = require "api.repl"
local assets = require "pages.assets"
local draft = require "pages.draft"
local edit = require "pages.edit"
local errors = require "pages.errors"
local review = require "pages.review"
local sign_in = require "pages.sign_in"
local stats = require "pages.stats"

return {
  { "POST", "/", handler = messages.post, access = { "draft", "send" } },
  { "POST", "/send-draft", handler = drafts.send, access = "review" },

  { "GET", "/drafts", handler = drafts.list, access = "review" },
  { "GET", "/drafts/{id}", handler = drafts.get, access = "review" },
  { "PATCH", "/drafts/{id}", handler = drafts.patch, access = "review" },
  { "POST", "/drafts/{id}/reject", handler = drafts.reject, access = "review" },
  { "GET", "/drafts/{id}/message", handler = drafts.message, access = "review" },
  { "POST", "/drafts/{id}/test", handler = drafts.test, access = "review" },

  { "GET", "/review", handler = review.list, access = "review" },
  { "POST", "/review/bulk", handler = review.bulk, access = "review" },
  { "GET", "/review/news", handler = review.news, access = "review", waits = true },
  { "GET", "/review/stats", handler = stats.show, access = "review" },
  { "GET", "/review/{id}", handler = draft.show, access = "review" },
  { "GET", "/review/{id}/html", handler = draft.html, access = "review" },
  { "GET", "/review/{id}/part/{n}", handler = draft.part, access = "review" },
  { "GET", "/review/{id}/changes", handler = draft.changes, access = "review" },
  { "POST", "/review/{id}/approve", handler = draft.approve, access = "review" },
  { "POST", "/review/{id}/undo", handler = draft.undo, access = "review" },
  { "POST", "/review/{id}/reject", handler = draft.reject, access = "review" },
  { "POST", "/review/{id}/test", handler = draft.test, access = "review" },
  { "GET", "/review/{id}/edit", handler = edit.show, access = "review" },
  { "POST", "/review/{id}/edit", handler = edit.save, access = "review" },
  { "POST", "/review/{id}/preview", handler = edit.preview, access = "review" },

  { "GET", "/assets/{name}", handler = assets.get, access = "public" },
  { "GET", "/sign-in", handler = sign_in.show, access = "public" },
  { "POST", "/sign-in", handler = sign_in.open, access = "public" },
  { "GET", "/error/{code}", handler = errors.show, access = "public" },
  { "POST", "/sign-out", handler = sign_in.close, access = { "draft", "send", "review", "ops" } },

  { "POST", "/repl", handler = repl.post, access = "ops", deadline = 600, waits = true },

  { "GET", "/openapi.json", handler = openapi.get, access = "public" },

  { "GET", "/metrics", handler = metrics.get, access = "ops", serve = "all" },
  { "GET", "/pixel", handler = pixel.get, access = "public", serve = "tracker", deadline = 2 },
  { "GET", "/health", handler = health.alive, access = "public", serve = "all" },
  { "GET", "/ready", handler = health.ready, access = "public", serve = "all" },
}
