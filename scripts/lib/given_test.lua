--- Recipes that are given something else than they take.

local expect = require "lib.expect"
local testing = require "paraph.testing"

local LIST = ' takes a list of texts, { "one", "two" }'
local COUNT = " is a whole number from 0 up"

return testing.cases({
  { recipe = "agents_wait", value = "prompt", says = "agents_wait" .. LIST },
  { recipe = "agents_wait", value = nil },
  { recipe = "agents_wait", value = {} },
  { recipe = "business_hours", value = 8,
    says = "business_hours takes a table of options: closed, days, from, to" },
  { recipe = "business_hours", value = { from = 8 }, says = "the option 'to' is a number" },
  { recipe = "business_hours", value = { from = 8, to = 18, days = { "Monday" } },
    says = "the option 'days' is a list of whole numbers" },
  { recipe = "business_hours", value = { from = 8, to = 17.5, days = { 6, 7 } } },
  { recipe = "contact_form", value = "me@example.com",
    says = "takes a table of options: per_address, per_day, proxies, thanks, to" },
  { recipe = "customer_template", value = {}, says = "customer_template takes a function" },
  { recipe = "daily_caps", value = { tos = 0 },
    says = "daily_caps has no option 'tos', but domains, from, to" },
  { recipe = "daily_caps", value = { 5 }, says = "daily_caps has no option '1'" },
  { recipe = "daily_caps", value = { to = "5" }, says = "the option 'to'" .. COUNT },
  { recipe = "daily_caps", value = { from = -1 }, says = "the option 'from'" .. COUNT },
  { recipe = "daily_caps", value = { domains = { "example.com" } },
    says = "the option 'domains' is a table of whole numbers, { name = 1 }" },
  { recipe = "daily_caps", value = {} },
  { recipe = "footer", value = { texts = "Example Ltd" },
    says = "the option 'texts' is a table of texts" },
  { recipe = "forbidden_words", value = "password", says = "forbidden_words" .. LIST },
  { recipe = "forbidden_words", value = { word = "password" }, says = "forbidden_words" .. LIST },
  { recipe = "forbidden_words", value = { "password", nil, "secret" },
    says = "forbidden_words" .. LIST },
  { recipe = "forbidden_words", value = { 7 }, says = "forbidden_words" .. LIST },
  { recipe = "known_domains", value = nil, says = "known_domains" .. LIST },
  { recipe = "link_hosts", value = "example.com", says = "link_hosts" .. LIST },
  { recipe = "office_opens", value = { addresses = "192.0.2.7" }, says = "the option 'addresses'" },
  { recipe = "risky_attachments", value = { types = "exe" }, says = "the option 'types'" },
  { recipe = "template_senders", value = { "billing@example.com" },
    says = "template_senders takes a table of texts" },
  { recipe = "two_reviewers", value = "10", says = "two_reviewers takes a whole number" },
  { recipe = "untracked", value = "*.gov", says = "untracked" .. LIST },
}, function(row)
  local recipe = require("recipes." .. row.recipe)
  local ok, err = pcall(function() return (recipe(row.value)) end)
  expect.equal(ok, row.says == nil)
  if ok then return end
  expect.holds(err, "given_test.lua:")
  expect.holds(err, row.says)
end)
