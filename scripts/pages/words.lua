--- The words of the pages, by language: what the templates print as {{t.name}}, and what the
--- handlers fill and hand over (the formats with %s and %d).
---
--- All languages have the same names, with the same directives in the same order. The script of
--- the pages fills `selected`, `leaves_in` and `news`; `date` has its parts in braces, since their
--- order differs.

local en = require "pages.words_en"
local fr = require "pages.words_fr"

return { en = en, fr = fr }
