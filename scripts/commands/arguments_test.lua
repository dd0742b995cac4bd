local arguments = require "commands.arguments"
local expect = require "lib.expect"
local testing = require "paraph.testing"

local SPEC = { words = 1, options = { to = "list", subject = "text", ["dry-run"] = "flag" } }

--- { arguments, options, words }
local good = {
  { {}, {}, {} },
  { { "a.json" }, {}, { "a.json" } },
  { { "-" }, {}, { "-" } },
  { { "--to", "a", "--to=b" }, { to = { "a", "b" } }, {} },
  { { "--subject", "" }, { subject = "" }, {} },
  { { "--subject=" }, { subject = "" }, {} },
  { { "--subject=a=b" }, { subject = "a=b" }, {} },
  { { "--subject", "-x" }, { subject = "-x" }, {} },
  { { "--subject=--" }, { subject = "--" }, {} },
  { { "--subject", "--what is this?" }, { subject = "--what is this?" }, {} },
  { { "--subject=--to" }, { subject = "--to" }, {} },
  { { "x", "--dry-run" }, { dry_run = true }, { "x" } },
  { { "--", "--dry-run" }, {}, { "--dry-run" } },
  { { "--dry-run", "--", "--" }, { dry_run = true }, { "--" } },
}

--- { arguments, a part of the sentence }
local bad = {
  { { "--cc", "a" }, "there is no option '--cc'" },
  { { "--cc=a" }, "there is no option '--cc'" },
  { { "--dry_run" }, "there is no option '--dry_run'" },
  { { "---to", "a" }, "there is no option '---to'" },
  { { "--=a" }, "there is no option '--'" },
  { { "-to", "a" }, "there is no option '-to'" },
  { { "--to" }, "--to needs a value" },
  { { "--subject", "--to", "a" }, "if '--to' is meant to be it: --subject=--to" },
  { { "--subject", "--", "--dry-run" }, "if '--' is meant to be it: --subject=--" },
  { { "--subject", "a", "--subject", "a" }, "--subject is given twice" },
  { { "--dry-run", "--dry-run" }, "--dry-run is given twice" },
  { { "--dry-run=yes" }, "--dry-run takes no value" },
  { { "a", "b" }, "one argument too many: 'b'" },
  { { "--subject", "\xFF" }, "argument 2 is not UTF-8" },
  { { "--\27[2J" }, "there is no option '-- [2J'" },
}

return {
  reads = testing.cases(good, function(case)
    local given = assert(arguments.read(SPEC, case[1]))
    expect.equal(given.options, case[2])
    expect.equal(given.words, case[3])
  end),
  refuses = testing.cases(bad, function(case)
    local given, sentence = arguments.read(SPEC, case[1])
    expect.equal(given, nil)
    expect.holds(sentence, case[2])
  end),
}
