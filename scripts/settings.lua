--- What policies read from the environment: each name here is the variable POLICY_<NAME>, and a
--- member of `require "lib.settings"`.
---
---   trusted_domains = { type = "list", default = { "example.com" } },
---
--- is POLICY_TRUSTED_DOMAINS, "example.com, example.org". Types are "text", "number", "boolean"
--- (true/1/yes, false/0/no) and "list" (between commas). Without a default a setting must be set.
--- A number may have a range. Those that are shipped stay, whatever an overlay declares.

---@type table<string, setting>
return {
  -- Nobody approves what he wrote himself, or has changed.
  four_eyes = { type = "boolean", default = false },
  -- Seconds in which an approval on the review pages can be taken back; 0: it leaves at once.
  undo_seconds = { type = "number", default = 5, range = { 0, 86400 } },
}
