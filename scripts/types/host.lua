---@meta
--- The small modules.

---@class paraph.text
--- Conversions of bodies. They raise for what is not valid UTF-8, and return nil and
--- `payload_too_large` for what is too large or becomes so.
local text = {}
--- & < > " ' as entities.
---@param s string
---@return string? html
---@return paraph.err? err
function text.escape(s) end
--- A plain-text message as HTML: paragraphs, line breaks and indentation kept, addresses linked.
---@param s string
---@return string? html
---@return paraph.err? err
function text.to_html(s) end
--- CommonMark with tables; raw HTML is shown, not obeyed.
---@param s string
---@return string? html
---@return paraph.err? err
function text.markdown_to_html(s) end
--- HTML as a text part reads well.
---@param html string
---@return string? text
---@return paraph.err? err
function text.from_html(html) end

--- Is it one line: without C0 and C1 control characters, line and paragraph separators?
---@param s string
---@return boolean
function text.is_line(s) end

---@class paraph.tag
---@field name string        in lower case; "/a" ends an element
---@field first integer      where it begins
---@field last integer       and ends
---@field attributes table<integer|string, paraph.attribute>  in order, and by name

---@class paraph.attribute
---@field name string        in lower case
---@field value string       what it means: without quotes, "&amp;" is "&"
---@field first integer      where its name begins
---@field last integer       and its value ends

--- The tags of HTML, one after the other, as browsers read them: none in comments, nor in what
--- `script`, `style` and their like hold. A tag may have any number of attributes: there are those
--- that are wanted, and the first of two with one name.
---@param html string
---@param attributes table<string, any>  the names of those wanted, in lower case
---@param name? string       only tags of this name
---@return fun(): paraph.tag?
function text.tags(html, attributes, name) end

---@class paraph.mailbox_parts
---@field name string         "" if it has none
---@field address string      local@domain, domain in A-labels, lower case
---@field local_part string
---@field domain string

---@class paraph.address
local address = {}
--- An RFC 5322 address list; groups are flattened.
---@param s string
---@return paraph.mailbox_parts[]? mailboxes
---@return paraph.err? err     `invalid_recipient`
function address.parse(s) end
--- How many mailboxes parse() finds.
---@param s string
---@return integer? count
---@return paraph.err? err     parse()'s
function address.count(s) end
--- The mailboxes of the members `to`, `cc` and `bcc`, each a text or a list of texts; none of what
--- cannot be read, since nothing leaves for that.
---@param document table
---@return letter_recipient[] recipients
---@return string[] domains    of them, each once
function address.recipients(document) end
--- One mailbox as people write it. Raises for an address that is none.
---@param mailbox paraph.mailbox
---@return string
function address.format(mailbox) end

---@class paraph.crypto
local crypto = {}
---@return string              a random UUID (RFC 9562 version 4)
function crypto.uuid4() end
--- The same for the same name (version 5).
---@param namespace string     a UUID
---@param name string
---@return string
function crypto.uuid5(namespace, name) end
---@param s any
---@return boolean
function crypto.is_uuid(s) end
---@param s string
---@return string              64 hexadecimal digits
function crypto.sha256(s) end
--- HMAC-SHA-256 (RFC 2104): who knows the key made the message.
---@param key string
---@param message string
---@return string              64 hexadecimal digits
function crypto.hmac_sha256(key, message) end
--- In time that does not depend on the content.
---@param a string
---@param b string
---@return boolean
function crypto.equal(a, b) end

---@class paraph.errors
local errors = {}
--- The closed list of codes (`core/err.h`), each with the HTTP status it is answered with.
---@return table<string, integer>
function errors.statuses() end

---@class paraph.time
local time = {}
--- RFC 3339 in UTC with microseconds, e.g. "2026-03-01T09:30:00.000000Z".
---@return string
function time.now() end

---@class paraph.date
---@field year integer
---@field month integer      1 to 12
---@field day integer
---@field hour integer       0 to 23
---@field minute integer
---@field weekday integer    1 Monday to 7 Sunday
---@field zone string        e.g. "CET"
---@field utc string         the same instant as `now` gives it

--- Local time, by the variable TZ ("Europe/Paris"; without it UTC).
---@param seconds? number    since 1970; default now
---@return paraph.date
function time.date(seconds) end
--- Seconds since 1970 of an RFC 3339 text, as a float; nil if it is none.
---@param s string
---@return number?
function time.parse(s) end
--- The same of a date of HTTP, e.g. "Sun, 01 Mar 2026 09:30:00 GMT".
---@param s string
---@return number?
function time.parse_http(s) end
--- The reverse of parse.
---@param seconds number
---@return string
function time.format(seconds) end
--- Milliseconds of a clock that never steps.
---@return number
function time.monotonic() end

---@class paraph.log
--- One event: a constant message, and what varies as fields (strings, numbers, booleans). Told are
--- 16 fields at most, 8 KiB of a text, and 100 events of a request; and none in a test. The log
--- itself sets `time`, `severity`, `message`, `request_id`, `trace_id`, `mail_trace_id`,
--- `httpRequest` and whatever begins with `logging.googleapis.com/`: a field of such a name raises.
local log = {}
---@param message string
---@param fields? table<string, string|number|boolean>
function log.debug(message, fields) end
---@param message string
---@param fields? table<string, string|number|boolean>
function log.info(message, fields) end
---@param message string
---@param fields? table<string, string|number|boolean>
function log.warning(message, fields) end
---@param message string
---@param fields? table<string, string|number|boolean>
function log.error(message, fields) end
--- Would an event of this level be written?
---@param level "debug"|"info"|"warning"|"error"
---@return boolean
function log.on(level) end
--- The trace that what runs belongs to, 32 hexadecimal digits: of a request what its `traceparent`
--- or `X-Cloud-Trace-Context` says, or a new one. nil in a test or a rehearsal, and at the prompt.
---@return string?
function log.trace_id() end
--- What this task and the branches it starts tell from here on is about the mail that came with
--- this trace: their events have it as `mail_trace_id`. What is no trace ends that.
---@param trace_id any
function log.mail(trace_id) end

---@class paraph.task
local task = {}
--- Wait without blocking.
---@async
---@param ms integer           0 to 86400000
---@return true? ok
---@return paraph.err? err
function task.sleep(ms) end
--- Run functions at the same time; their first two results in order, when all have ended. An error
--- in one is raised here after the others have ended.
---@async
---@param functions (fun(): any, any)[]   at most 64
---@return { [1]: any, [2]: any }[]? results
---@return paraph.err? err     what waits here has been cut off, as by its deadline
function task.all(functions) end

--- require "paraph.environ" is this function: an environment variable whose name begins with
--- POLICY_; nil if it is not set, or empty. `lib/settings.lua` reads those that `settings.lua`
--- declares.
---@param name string
---@return string?
function environ(name) end

---@class paraph.jobs
--- The jobs of `jobs.lua` in this process.
local jobs = {}
--- The job runs again in `ms` milliseconds at the latest; if it runs just now, once more when it
--- has ended. A job that would run earlier does, and a name that `jobs.lua` does not have (or has
--- for another ROLE) is nothing. A test and a rehearsal wake nothing, and a hook must not.
---@param name string
---@param ms integer           0 to 86400000
function jobs.wake(name, ms) end

---@class paraph.metrics
--- Counters and gauges, all of which stand in core/metrics_table.c, and their page for Prometheus.
--- In a test and in a rehearsal nothing is counted.
local metrics = {}
--- Add one to a counter. Raises if there is none of this name, or with other labels than these.
---@param name string                     "paraph_opens_total"
---@param labels? table<string, string>   { kind = "person" }
function metrics.count(name, labels) end
--- Set a gauge without labels, for this process.
---@param name string
---@param value integer
function metrics.set(name, value) end
--- The page of all workers: Prometheus' text format, version 0.0.4.
---@return string
function metrics.text() end

---@class paraph.policy
--- Functions of operators, called so that their faults stay theirs.
local policy = {}
--- Call a hook: a function that judges what it is given and has no other effect. It has 100 ms of
--- CPU time and 32 MiB of memory, cannot wait (no store, mail, fetch, task), and whatever it
--- raises or uses up, the caller goes on with what it had left itself.
---@param hook string          "review.decide": under which its time is counted
---@param f function
---@param ... any
---@return boolean ok
---@return any ...             its results; after false the error in one line that begins with file
---                            and line ("policy/review.lua:3: ..."), but for want of memory, and
---                            the same with the calls
function policy.call(hook, f, ...) end
--- Where a function stands: "policy/review.lua:12"; "[C]" for one of the host.
---@param f function
---@return string
function policy.where(f) end
--- Tell in the log that a hook has failed: for `lib/hooks.lua`. Raises in a hook.
---@param hook string          "review.decide"
---@param error string         the error, with the chain of calls
function policy.failed(hook, error) end

---@class paraph.fetch_request
---@field url string           http or https
---@field method? string       default GET
---@field headers? table<string, string>
---@field body? string|paraph.blob
---@field timeout? number      seconds for the whole exchange, up to a day; default UPSTREAM_TIMEOUT
---@field max_bytes? integer   of the reply's body, up to 64 MiB; default 8 MiB

---@class paraph.fetch_reply
---@field status integer
---@field headers table<string, string>  names in lower case
---@field body paraph.blob

--- require "paraph.fetch" is this function. Any status is a reply, not an error, and a redirect is
--- not followed. In a rehearsal only GET and HEAD go out; anything else is `no_send`. Link-local
--- addresses are refused, since metadata servers are there, which give the service's tokens to
--- whoever asks.
---@async
---@param request paraph.fetch_request
---@return paraph.fetch_reply? reply
---@return paraph.err? err      `timeout` or `fetch_error`; err.sent: it may have reached the server
function fetch(request) end

---@class paraph.templates
local templates = {}
--- The source of a template, as it was when this generation was loaded; nil if there is none.
---@param name string          below the templates directory, e.g. "mail/layout.mustache"
---@return string?
function templates.read(name) end
--- The names of all templates, in no order.
---@return string[]
function templates.list() end

---@class paraph.prompt
local prompt = {}
--- What an operator who is attached to this service has typed, in a session of the caller of this
--- request: its own generation, and first a rehearsal.
---@async
---@param request { session?: string, line?: string, complete?: string, columns: integer }  a line
---  to carry out, or a text and how it could go on; without a session a new one begins; 20 to 1000
---  columns
---@return { session: string, word: string, text: string, more: string, name: string,
---  live: boolean }? answer   as core/prompt.h has it
---@return paraph.err? err     `not_found`: the caller has no such session (any more);
---                            `in_progress`: its last line has not ended; `overloaded`: there are
---                            too many sessions
function prompt.run(request) end

---@class paraph.scripts
local scripts = {}
--- The names of all scripts and templates of this generation ("policy/review.lua"), in order.
---@return string[]
function scripts.names() end
--- What a file of this generation held when it was loaded; nil if there is none of that name.
---@param name string
---@return string? text
---@return string? path        on the disk
---@return boolean? shipped    false: it is in the overlay
function scripts.source(name) end
--- Lua from a text, with a table for its globals. It is no script of the service: for what people
--- type.
---@param text string          at most 1 MiB
---@param name string          for what errors say: "name:1: ..."
---@param globals table
---@return function?
---@return string? err
function scripts.compile(text, name, globals) end
--- An error without its chain of calls, and below it, if it names a line of a script or template,
--- that line with a caret under what it is about.
---@param error string
---@return string
function scripts.excerpt(error) end
--- Why the scripts and templates on the disk are not those that serve: they were refused; nil if
--- all is well.
---@return paraph.refusal?
function scripts.refused() end

---@class paraph.refusal
---@field error string        one sentence, with file and line
---@field since string        RFC 3339: from when on something on the disk is not live

---@class paraph.rehearsal
--- A rehearsal lies over the world of the service: what is there is read, and what is written or
--- sent stays in memory and is seen in the rehearsal alone (`paraph send --dry-run`, the prompt).
local rehearsal = {}
--- Do these scripts run in one?
---@return boolean
function rehearsal.active() end

---@class paraph.rehearsal.letter
---@field sent boolean        else it waits in the mailbox
---@field id string           of the message, or of the draft of the mailbox
---@field thread_id string
---@field key string          X-Paraph-Id: the id of the draft in the store
---@field mailbox string
---@field to string[]         bare addresses of To, Cc and Bcc
---@field bytes paraph.blob   message/rfc822

--- What would have left, or would wait in the mailbox, in the order in which it came to. Raises
--- where this is no rehearsal.
---@return paraph.rehearsal.letter[]
function rehearsal.letters() end

--- A request without a network: route, access and deadline are those of the service; a script that
--- fails is a `policy_error`, and `trace` says where. The table itself is filled in, and handed to
--- the handler.
---@async
---@param request { method: string, target: string, headers: table<string, string>, id: string,
---  remote: string, body?: string|paraph.blob,
---  caller: { name: string, method: string, roles?: string[] } }  without roles: those that
---  access.lua gives him
---@return { status: integer, headers: table<string, string>, bytes?: paraph.blob, trace?: string }?
---@return paraph.err? err
function serve(request) end

---@class paraph.session
--- People who sign in at a browser with an API key. The key is no Lua value, nor is the session's
--- token, but in the cookie.
---@field collection string   where sessions are kept
---@field possible boolean    AUTH takes keys: without that nobody can sign in
---@field seconds integer     that a session lasts
local session = {}
--- Begin a session with the key in field `key` of a form, which must have the role `review`.
---@async
---@param form string|paraph.blob   application/x-www-form-urlencoded
---@param secure boolean            the cookie is for TLS alone
---@return string? cookie           for Set-Cookie
---@return paraph.err? err          `unauthenticated`, `forbidden`, or what the store says
function session.open(form, secure) end
--- End the session that the request came with.
---@async
---@param secure boolean
---@return string? cookie           for Set-Cookie: it takes the other one away
---@return paraph.err? err
function session.close(secure) end

---@class paraph.webhook
--- The endpoints of WEBHOOK_URL, by their numbers, for `lib/webhooks.lua`. Neither their addresses
--- nor the secrets are Lua values.
local webhook = {}
--- Post an event, signed as Standard Webhooks has it. Nothing is followed, ten seconds are waited,
--- and private addresses are refused unless WEBHOOK_ALLOW_PRIVATE allows them. In a test,
--- `world.fetch` answers.
---@async
---@param n integer            1 to config.webhooks
---@param id string            the same for each attempt: receivers know by it what they have
---@param body string          JSON, at most 1 MiB
---@return paraph.fetch_reply? reply
---@return paraph.err? err      as of paraph.fetch
function webhook.post(n, id, body) end
--- Where an endpoint is, as far as that may be told: "https://crm.example.org".
---@param n integer
---@return string
function webhook.origin(n) end

--- require "paraph.config": settings that scripts may read.
---@class paraph.config
---@field backend "local"|"google"
---@field draft_collection string
---@field pixel_collection string
---@field pixel_base_url? string
---@field tracking boolean
---@field send_mode "draft"|"send"
---@field no_send boolean
---@field gmail_user? string
---@field role "all"|"gateway"|"tracker"
---@field auth string[]         the methods of AUTH, in order
---@field request_timeout integer  seconds
---@field webhooks integer      how many endpoints WEBHOOK_URL names; 0 in a test and a rehearsal
---@field webhooks_delivered boolean  from here: there is a secret to sign with
---@field webhook_events table<string, true>  which events they are told of
---@field version string
---@field generation integer

--- What the module of a command (`paraph send`) is given beside its arguments, and no other script.
---@class paraph.command_host
---@field read_file fun(path: string): paraph.blob?, paraph.err?  `not_found`; `payload_too_large`:
---                            more than MAX_BODY_BYTES
---@field read_stdin fun(): paraph.blob?, paraph.err?
---@field stdin_is_terminal boolean
---@field max_bytes integer    MAX_BODY_BYTES
---@field columns? integer     of the terminal that standard output is
