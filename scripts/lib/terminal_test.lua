local expect = require "lib.expect"
local terminal = require "lib.terminal"
local testing = require "paraph.testing"

--- { text, on one line }
local lines = {
  { "plain", "plain" },
  { "Grüße, 漢字 👩‍💻 é", "Grüße, 漢字 👩‍💻 é" },
  { "a\r\nb\tc", "a b c" },
  { "\27[2J\7x\8", " [2J x " },
  { "a\127\u{85}\u{9B}31mb", "a 31mb" },
  { "a\u{2028}b\u{2029}c", "a b c" },
  { "\u{202E}gnp.exe\u{2066}\u{61C}\u{200F}", "�gnp.exe���" },
  { "a\u{200B}\u{FEFF}\u{E0041}b", "a���b" },
  { "a\xFF\xC3b\xE2\x82", "a��b��" },
  { "\xED\xA0\x80", "���" },
}

--- { text, columns }
local widths = {
  { "abc", 3 }, { "Grüße", 5 }, { "漢字", 4 }, { "e\u{301}", 1 }, { "👩‍💻", 4 }, { "", 0 }, { "…", 1 },
}

--- { text, columns, cut }
local cuts = {
  { "abc", 3, "abc" }, { "abcd", 3, "ab…" }, { "abcd", 1, "…" }, { "漢字漢字", 5, "漢字…" },
  { "漢字漢字", 4, "漢…" }, { "Grüße!", 4, "Grü…" },
}

local COLUMNS = { { title = "ID" }, { title = "TO", least = 4 }, { title = "SUBJECT", least = 4 } }
local ROWS = { { "1", "ann@example.com", "Hello there" }, { "22", "漢字", "" } }

local tests = {
  ["one line"] = testing.cases(lines, function(case)
    expect.equal(terminal.line(case[1]), case[2])
  end),
  width = testing.cases(widths, function(case)
    expect.equal(terminal.width(case[1]), case[2])
  end),
  cut = testing.cases(cuts, function(case)
    expect.equal(terminal.cut(case[1], case[2]), case[3])
  end),
}

tests["many lines stay apart"] = function()
  expect.equal(terminal.lines("a\r\n\r\nb\rc\27[1m\n\tx\n\n"), { "a", "", "b", "c [1m", "    x" })
  expect.equal(terminal.lines(""), { "" })
  expect.equal(terminal.lines("a"), { "a" })
end

tests["a table has its columns below each other"] = function()
  expect.equal(terminal.table(COLUMNS, ROWS), {
    "ID  TO               SUBJECT",
    "1   ann@example.com  Hello there",
    "22  漢字",
  })
end

tests["a table fits, and the widest column gives way first"] = function()
  expect.equal(terminal.table(COLUMNS, ROWS, 28), {
    "ID  TO           SUBJECT",
    "1   ann@exampl…  Hello there",
    "22  漢字",
  })
  expect.equal(terminal.table(COLUMNS, ROWS, 10), {
    "ID  TO    SUB…",
    "1   ann…  Hel…",
    "22  漢字",
  })
end

tests["nothing else is printed of the worst"] = function()
  local bytes = {}
  for byte = 0, 255 do bytes[#bytes + 1] = string.char(byte) end
  local line = terminal.line(table.concat(bytes))
  expect.equal(line:find("%c"), nil)
  expect.equal(utf8.len(line) ~= nil, true)
end

return tests
