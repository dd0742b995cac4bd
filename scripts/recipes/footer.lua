--- Put a footer under every message, in the recipient's language.
---
--- my/policy/compose.lua:
---
---   local footer = require "recipes.footer"
---   return { bodies = footer { texts = { en = "Example Ltd, York", de = "Beispiel GmbH, Köln" },
---     countries = { at = "de", ch = "de", de = "de" }, default = "en" } }
---
--- The language is `metadata.language` of the request ("de", or "de-AT"), else that of the country
--- at the end of the first recipient's domain. The footer is plain text, and stands below the
--- signature, in both parts of the mail. It does not guess a language from what is written, and all
--- recipients of one message get the same.

local given = require "lib.given"
local shipped = require "shipped.policy.compose"
local text = require "paraph.text"

---@class footer
---@field texts table<string, string>       by language
---@field countries? table<string, string>  languages by the last part of a domain
---@field default? string                   language of everybody else; default: no footer

local function language_of(letter, options)
  local metadata = letter.draft.metadata
  local wanted = type(metadata) == "table" and metadata.language
  local language = type(wanted) == "string" and wanted:lower():match("^%a+")
  if options.texts[language] then return language end
  local first = letter.recipients[1]
  local country = first and first.domain:match("[^.]+$")
  return (options.countries or {})[country] or options.default
end

---@param options footer
---@param bodies? fun(content: message_content, letter: letter): string, string  default: as shipped
---@return fun(content: message_content, letter: letter): string, string
return function(options, bodies)
  given("footer", options, {
    texts = "table<string, string>", countries = "table<string, string>?", default = "string?",
  })
  bodies = bodies or shipped.bodies
  return function(content, letter)
    local footer = options.texts[language_of(letter, options)]
    if footer then
      local above = content.signature_text
      content.signature = content.signature .. "<div>" .. text.to_html(footer) .. "</div>"
      content.signature_text = above .. (above == "" and "" or "\n") .. footer
    end
    return bodies(content, letter)
  end
end
