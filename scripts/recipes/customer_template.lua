--- Give a customer templates of his own: mail/<customer>/welcome in place of mail/welcome.
---
--- my/policy/compose.lua:
---
---   return { bodies = require "recipes.customer_template"() }
---
--- A request with `template: "welcome"` and `metadata: {"customer": "acme"}` is written with
--- mail/acme/welcome.mustache of TEMPLATES_DIR if that is there, else with mail/welcome.mustache,
--- which must be there in any case. Names of customers are letters, digits, "-" and "_". Rules for
--- reviews see the name that the caller wrote, and rules that read the body see the general
--- template. Who may write for which customer is not its business.

local given = require "lib.given"
local shipped = require "shipped.policy.compose"
local templates = require "lib.templates"
local text = require "paraph.text"

--- The name of the template that a letter is written with.
local function name_of(letter)
  local metadata = letter.draft.metadata
  local customer = type(metadata) == "table" and metadata.customer
  if type(customer) ~= "string" or not customer:find("^[%w_-]+$") then return letter.template end
  local own = customer .. "/" .. letter.template
  local found, broken = templates.load("mail/" .. own)
  return (found or broken) and own or letter.template
end

--- What cannot be written is not sent: the hook fails, which holds the message.
local function must(result, err)
  return result or error(err.message, 0)
end

---@param bodies? fun(content: message_content, letter: letter): string, string  default: as shipped
---@return fun(content: message_content, letter: letter): string, string
return function(bodies)
  given("customer_template", bodies, "function?")
  bodies = bodies or shipped.bodies
  return function(content, letter)
    local name = letter.template and name_of(letter)
    if name and name ~= letter.template then
      content.html = must(templates.render_mail(name, letter.draft.vars or {}))
      content.text = must(text.from_html(content.html))
    end
    return bodies(content, letter)
  end
end
