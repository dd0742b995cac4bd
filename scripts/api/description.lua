--- What the handlers of the API take and answer, for people and for GET /openapi.json
--- (lib/openapi.lua, which takes paths, methods, roles and deadlines from routes.lua, and leaves
--- the pages out).
---
--- A handler is described by
---
---   id, summary, about   operationId; one line; what else there is to know
---   params, query        schemas of the parts of the path; of the query, as an object
---   headers              of the request: schemas by name
---   request, example     schema of the JSON body, the very one that checks it, and such a body
---   optional             true: the body may be left out
---   answer               schema of the JSON answer, or
---   type                 the Content-Type of another one
---   replays              true: it may come with Idempotency-Replayed
---   conditional          true: it has an ETag, and is 304 for who knows that
---   errors               codes besides those that `usual` gives it
---
--- An overlay describes its own routes by an `api/description.lua` that adds to
--- `require "shipped.api.description"`.

local drafts = require "api.drafts"
local draft_schema = require "api.description_draft"
local health = require "api.health"
local idempotency = require "lib.idempotency"
local message = require "lib.message"
local messages = require "api.messages"
local metrics = require "api.metrics"
local openapi = require "api.openapi"
local pixel = require "api.pixel"
local rejection = require "lib.drafts".rejection
local repl = require "api.repl"

local description = {}

local ID = "6ba7b810-9dad-41d1-80b4-00c04fd430c8"

-- --- errors --------------------------------------------------------------------------------------

--- What each code of an error means.
description.codes = {
  malformed_request = "the request line, a header or the path is malformed",
  malformed_json = "the body is not JSON; the sentence names line and column",
  invalid_field = "a field is missing, or is not what it has to be; `field` names it",
  unknown_field = "there is no such field; `field` names it",
  invalid_recipient = "a recipient is no e-mail address; `field` names it",
  unauthenticated = "no credentials, or bad ones",
  forbidden = "this caller may not do that",
  refused_by_policy = "the review rules refuse this message, or keep it",
  not_found = "there is nothing under this path",
  draft_not_found = "there is no draft with this id",
  method_not_allowed = "this path has other methods: `Allow` lists them",
  already_sent = "the draft has been sent; `message_id` is that of the mail",
  rejected = "the draft has been rejected",
  in_progress = "another request is at it just now; ask again later",
  changed_since_review = "the message is no longer the one that was reviewed",
  idempotency_conflict = "the key was used for another request; take a new one",
  already_exists = "there is one already",
  conflict = "others were changing the same thing; try again",
  payload_too_large = "the body, the message or the draft is too large",
  unsupported_media_type = "the body is not `application/json`, or is compressed",
  expectation_failed = "`Expect` asks for something else than `100-continue`",
  rate_limited = "too many requests, or the quota of the mailbox; `Retry-After` says when to "
    .. "come back",
  headers_too_large = "the headers are too large",
  policy_error = "a script failed; the log says where, under the `request_id`",
  internal_error = "the service is at fault; the log says more",
  gmail_error = "Gmail answered with an error; the sentence names the step and the remedy",
  firestore_error = "Firestore answered with an error; the sentence names the step and the remedy",
  auth_error = "Google's authentication failed; the sentence names the step and the remedy",
  fetch_error = "another server could not be reached",
  store_error = "the store could not be read or written",
  no_send = "sending is switched off (NO_SEND)",
  overloaded = "too much to do just now",
  shutting_down = "the service is shutting down",
  cancelled = "the request was cut off",
  timeout = "no answer in time",
}

--- The codes that the host may answer to any request; to one that needs a role; to one with a body.
description.usual = {
  any = { "malformed_request", "payload_too_large", "expectation_failed", "headers_too_large",
    "policy_error", "internal_error", "overloaded", "shutting_down", "cancelled", "timeout" },
  role = { "unauthenticated", "forbidden", "rate_limited", "auth_error", "firestore_error",
    "store_error" },
  body = { "malformed_json", "invalid_field", "unknown_field", "unsupported_media_type" },
}

--- Codes of whatever builds a message, and of whatever lets one out.
local BUILDS = { "invalid_field", "invalid_recipient", "gmail_error", "conflict" }
local SENDS = { "invalid_field", "invalid_recipient", "gmail_error", "conflict", "no_send",
  "refused_by_policy", "already_sent", "rejected", "in_progress", "changed_since_review" }

local function and_also(codes, ...)
  local all = table.move(codes, 1, #codes, 1, {})
  return table.move({ ... }, 1, select("#", ...), #all + 1, all)
end

-- --- schemas -------------------------------------------------------------------------------------

local function ref(name)
  return { ["$ref"] = "#/components/schemas/" .. name }
end

local function one_of(word)
  return { type = "string", enum = { word } }
end

local text = { type = "string" }
local text_or_null = { type = { "string", "null" } }
local uuid = { type = "string", format = "uuid" }
local uuid_or_null = { type = { "string", "null" }, format = "uuid" }

--- An answer "ok" with these members, all of them there but for those of `more`.
local function ok(members, more)
  local answer = { type = "object", properties = { status = one_of "ok" }, required = { "status" } }
  for name, member in pairs(members) do
    answer.properties[name] = member
    answer.required[#answer.required + 1] = name
  end
  for name, member in pairs(more or {}) do answer.properties[name] = member end
  table.sort(answer.required)
  return answer
end

local held = { type = "string", description = "Why the review rules made a draft of it." }

--- Those that routes share: an error is the answer of all of them.
description.schemas = {
  Draft = draft_schema,
  Error = {
    type = "object", required = { "status", "code", "error", "request_id" },
    properties = {
      status = one_of "error",
      code = text,
      error = { type = "string", description = "One sentence for a person." },
      field = { type = "string", description = "The field of the request that is at fault." },
      request_id = { type = "string", description = "As in `X-Request-Id`." },
      message_id = { type = "string", description = "With `already_sent`." },
      approvals = { type = "integer", description = "With `refused_by_policy`, where more than one "
        .. "reviewer has to approve: how many have." },
      draft_id = { type = "string", format = "uuid", description = "With `policy_error`: the "
        .. "message is kept as this draft." },
      held = held,
    },
  },
}

local drafted = ok({ mode = one_of "draft", draft_id = uuid }, { held = held })
local sent = ok { mode = one_of "send", id = text_or_null, thread_id = text_or_null,
  pixel_id = uuid_or_null }
local one_draft = ok { draft = ref "Draft" }

-- --- webhooks ------------------------------------------------------------------------------------

--- When each event is posted (lib/webhooks.lua).
description.events = {
  ["draft.created"] = "A draft waits for a review.",
  ["draft.held"] = "The same, since a rule holds what was to be sent.",
  ["draft.rejected"] = "A reviewer has turned a draft down.",
  ["sent"] = "The mailbox has taken a message.",
  ["send.failed"] = "It has not.",
  ["opened"] = "Somebody has opened a message.",
}

local stored = message.stored().properties

--- What every event says.
description.event_data = {
  type = "object", description = "No member without a value.",
  properties = {
    draft_id = uuid, status = { type = "string", enum = drafts.statuses }, trace_id = text,
    message_id = text, thread_id = text, pixel_id = uuid, held = held, error = text,
    reject_reason = text, kind = { type = "string", enum = { "person", "proxy" } },
    unknown = { type = "boolean", description = "It may have left all the same." },
    omitted = { type = "array", items = text, description = "Members that are too large." },
    to = stored.to, subject = stored.subject, metadata = stored.metadata,
  },
}

-- --- the handlers --------------------------------------------------------------------------------

--- A handler that an overlay does without is none to describe.
description.handlers = {}

local function describe(handler, members)
  if handler then description.handlers[handler] = members end
end

local by_key = { ["Idempotency-Key"] = idempotency.key }
local of_draft = { id = uuid }

describe(messages.post, {
  id = "postMessage", summary = "Draft a message, or send it",
  about = "One of `message` and `template` is needed. A send may become a draft by the review "
    .. "rules; then the answer is that of a draft, with `held`. With an `Idempotency-Key`, the "
    .. "same request under the same key gets the same answer for 24 hours, and does nothing else.",
  headers = by_key, request = message.post,
  example = {
    to = "ann@example.com", subject = "Your order", message = "It has **arrived**.",
    format = "markdown", mode = "draft", metadata = { order = 17 },
  },
  answer = { oneOf = { drafted, sent } }, replays = true,
  errors = and_also(SENDS, "idempotency_conflict"),
})

describe(drafts.send, {
  id = "sendDraft", summary = "Send a reviewed draft",
  about = "With the `etag` of the message that was reviewed, that very message is sent, or none.",
  headers = by_key, request = drafts.approval, example = { draft_id = ID },
  answer = ok { message_id = text_or_null, thread_id = text_or_null, pixel_id = uuid_or_null },
  replays = true, errors = and_also(SENDS, "draft_not_found", "idempotency_conflict"),
})

describe(drafts.list, {
  id = "listDrafts", summary = "Drafts, newest first", query = drafts.query,
  about = "`page_token` is the `next_page_token` of the page before, which stays right while "
    .. "drafts are added.",
  answer = ok { drafts = { type = "array", items = ref "Draft" }, next_page_token = text_or_null },
  errors = { "invalid_field", "unknown_field" },
})

describe(drafts.get, {
  id = "getDraft", summary = "One draft", params = of_draft, answer = one_draft,
  errors = { "draft_not_found" },
})

describe(drafts.patch, {
  id = "editDraft", summary = "Edit a pending draft", params = of_draft,
  about = "`null` takes a member away.",
  request = message.patch, example = { subject = "Your order, again" }, answer = one_draft,
  errors = and_also(BUILDS, "draft_not_found", "already_sent", "rejected", "in_progress"),
})

describe(drafts.reject, {
  id = "rejectDraft", summary = "Reject a draft", params = of_draft,
  about = "To reject a rejected draft again changes nothing.",
  request = rejection, optional = true, example = { reason = "Not to this customer." },
  answer = one_draft, errors = { "draft_not_found", "already_sent", "in_progress", "conflict" },
})

describe(drafts.message, {
  id = "getMessage", summary = "The exact message that would be sent, or was", params = of_draft,
  about = "The `ETag` is SHA-256 over everything a recipient gets, signature and pixel included, "
    .. "Date and Message-ID aside.",
  type = "message/rfc822", conditional = true, errors = and_also(BUILDS, "draft_not_found"),
})

describe(drafts.test, {
  id = "testDraft", summary = "Send a copy marked [TEST] to somebody else", params = of_draft,
  request = drafts.copy, example = { to = "me@example.com" },
  answer = ok { message_id = text_or_null },
  errors = and_also(BUILDS, "draft_not_found", "no_send"),
})

describe(repl.post, {
  id = "prompt", summary = "A line of an operator's prompt (`paraph repl --attach`)",
  about = "Takes the role `review` besides `ops`, since a prompt shows drafts. Without `session` "
    .. "a new one begins; with `complete` the answer is how that text could go on.",
  request = repl.request, example = { line = "1 + 1" },
  answer = ok {
    session = text, text = text, more = text, name = text, live = { type = "boolean" },
    word = { type = "string", enum = { "shown", "failed", "more", "ask", "doctor", "quit" } },
  },
  errors = { "not_found", "in_progress" },
})

describe(pixel.get, {
  id = "getPixel", summary = "The image that counts opens",
  about = "Whatever is asked, it is a transparent image of one pixel.",
  query = { type = "object", properties = { id = text } },
  type = "image/gif", errors = {},
})

describe(health.alive, { id = "getHealth", summary = "Is it alive?", answer = ok {}, errors = {} })

describe(health.ready, {
  id = "getReady", summary = "Is it ready, and with which scripts?",
  answer = ok({
    generation = { type = "integer", description = "How many times scripts have been loaded." },
    backend = { type = "string", enum = { "local", "google" } }, version = text,
  }, {
    reload = {
      type = "object", required = { "status", "error", "since" },
      description = "The scripts on the disk were refused; those before them go on serving.",
      properties = { status = one_of "refused", error = text,
        since = { type = "string", format = "date-time" } },
    },
  }),
  errors = {},
})

describe(metrics.get, {
  id = "getMetrics", summary = "What is counted and measured, of all workers",
  about = "Prometheus' text format, version 0.0.4.",
  type = "text/plain", errors = {},
})

describe(openapi.get, {
  id = "getDescription", summary = "This description",
  answer = { type = "object", required = { "openapi", "info", "paths" },
    properties = { openapi = text, info = { type = "object" }, paths = { type = "object" },
      webhooks = { type = "object" },
      components = { type = "object" } } },
  conditional = true, errors = {},
})

return description
