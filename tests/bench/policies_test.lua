--- What the policies cost of a request, on the embedded pair:
---   paraph test --real tests/bench

local hooks = require "lib.hooks"
local letters = require "lib.letter"
local messages = require "api.messages"
local time = require "paraph.time"

local CRM = { name = "crm", roles = { draft = true, send = true } }
local document = {
  to = "Ann <ann@example.com>", subject = "Hello from the bench", created_by = "crm",
  body = "Hi Ann!\n\nA few lines of text, as people write them.\n\nBest,\nBob",
}
local content = {
  format = "text", html = "<p>Hi Ann!</p>", text = "Hi Ann!", signature = "<b>Bob</b>",
  signature_text = "Bob", pixel = "<img>", place = "after_message",
}
local open = {
  user_agent = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Thunderbird/128.0",
  referer = "", purpose = "", remote = "192.0.2.1", age = 60, count = 0, base_url = "",
  pixel = {},
}
local letter = letters.of(document, CRM)

--- Microseconds a call, the least of five rounds: what disturbs only ever adds.
local function microseconds(calls, f)
  local least = math.huge
  for _ = 1, 5 do
    local before = time.monotonic()
    for _ = 1, calls do f() end
    least = math.min(least, (time.monotonic() - before) * 1000 / calls)
  end
  return least
end

local parts = {
  { "the letter", function() return letters.of(document, CRM) end },
  { "review.decide", function() return hooks.decide(letter) end },
  { "limits.of", function() return hooks.limits(letter) end },
  { "pixel.place", function() return hooks.place(letter) end },
  { "pixel.html", function() return hooks.pixel("6ba7b810-9dad-41d1-80b4-00c04fd430c8") end },
  { "compose.bodies", function() return hooks.bodies(content, letter) end },
  { "opens.classify", function() return hooks.classify(open) end },
}

local function submit(mode)
  return function()
    assert(messages.submit({ to = document.to, subject = document.subject, mode = mode,
      message = document.body, tracking = false }, CRM))
  end
end

return {
  ["the policies of a message, and the whole request"] = function()
    for _, part in ipairs(parts) do
      print(("%-16s %7.2f us"):format(part[1], microseconds(2000, part[2])))
    end
    for _, mode in ipairs { "draft", "send" } do
      print(("%-16s %7.2f us, the disk included"):format("a " .. mode,
        microseconds(50, submit(mode))))
    end
  end,
}
