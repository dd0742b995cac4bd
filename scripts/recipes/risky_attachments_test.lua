local expect = require "lib.expect"
local letters = require "lib.letter"
local risky_attachments = require "recipes.risky_attachments"

local function judge(options, attachment)
  attachment.size = attachment.size or 1
  return risky_attachments(options)(letters.of { to = "a@b.example", attachments = { attachment } })
end

--- { file name, type, whether it is held }
local cases = {
  { "report.pdf", "application/pdf", false },
  { "setup.exe", nil, true },
  { "SETUP.EXE", nil, true },
  { "report.pdf.exe", nil, true },
  { "report.exe. .", nil, true },
  { "exe", nil, false },
  { "report.exe.pdf", nil, false },
  { "archive.zip", nil, false },
  { "macro.docm", nil, true },
  { nil, "image/png", false },
  { "report.pdf", "Application/X-MSDownload; name=x", true },
}

local tests = {}

for _, case in ipairs(cases) do
  tests[("%s, %s"):format(case[1], case[2])] = function()
    local verdict, reason = judge({}, { filename = case[1], content_type = case[2] })
    expect.equal(verdict, case[3] and "hold" or nil)
    if case[3] then expect.holds(reason, case[1]) end
  end
end

tests["types of one's own"] = function()
  expect.equal(judge({ types = { ".ZIP" } }, { filename = "a.zip" }), "hold")
  expect.equal(judge({ types = { ".ZIP" } }, { filename = "a.exe" }), nil)
end

tests["size"] = function()
  expect.equal(judge({ bytes = 1000 }, { filename = "a.pdf", size = 1000 }), nil)
  expect.equal({ judge({ bytes = 1000 }, { filename = "a.pdf", size = 1001 }) },
    { "hold", "a.pdf is larger than 1000 bytes" })
end

return tests
