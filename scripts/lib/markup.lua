--- The formats in which messages are written: each as HTML.

local text = require "paraph.text"

---@type table<"text"|"markdown"|"html", fun(body: string): string?, paraph.err?>
return {
  text = text.to_html,
  markdown = text.markdown_to_html,
  html = function(body) return body end,
}
