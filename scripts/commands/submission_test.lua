local expect = require "lib.expect"
local json = require "paraph.json"
local submission = require "commands.submission"
local testing = require "paraph.testing"

local MAX = 1000

--- A host with these files; "-" is standard input.
local function host_of(files)
  local function read(name)
    local text = files[name]
    if not text then return nil, { code = "not_found", message = name .. ": is not there" } end
    return testing.blob(text)
  end
  return { read_file = read, read_stdin = function() return read("-") end,
    stdin_is_terminal = files["-"] == nil, max_bytes = MAX }
end

local function body_of(options, file, files)
  local body, err = submission.read(options, file, host_of(files or {}))
  return body and json.decode(body), err
end

--- { options, file, files, body }
local good = {
  { name = "options alone", { to = { "a@b.c" }, subject = "x", message = "y" }, nil, {},
    { to = "a@b.c", subject = "x", message = "y", mode = "send" } },
  { name = "several recipients", { to = { "a@b.c", "d@e.f, g@h.i" }, draft = true }, nil, {},
    { to = { "a@b.c", "d@e.f, g@h.i" }, mode = "draft" } },
  { name = "a file", {}, "m", { m = '{"to":"a@b.c","mode":"draft"}' },
    { to = "a@b.c", mode = "draft" } },
  { name = "an option goes before the file", { mode = "send", subject = "new" }, "m",
    { m = '{"subject":"old","mode":"draft","cc":"x@y.z"}' },
    { subject = "new", mode = "send", cc = "x@y.z" } },
  { name = "standard input without a word", {}, nil, { ["-"] = '{"to":"a@b.c"}' },
    { to = "a@b.c", mode = "send" } },
  { name = "standard input is left alone", { to = { "a@b.c" } }, nil, { ["-"] = '{"cc":"x"}' },
    { to = "a@b.c", mode = "send" } },
  { name = "a body replaces a template", { message = "y" }, "m",
    { m = '{"template":"t","vars":{"a":1}}' }, { message = "y", mode = "send" } },
  { name = "a template replaces a body", { template = "t" }, "m",
    { m = '{"message":"y","format":"html"}' }, { template = "t", mode = "send" } },
  { name = "variables add up", { var = { "a=1", "b=", "c=x=y" }, vars = '{"a":0,"d":[1]}' }, "m",
    { m = '{"template":"t","vars":{"e":1}}' },
    { template = "t", vars = { a = "1", b = "", c = "x=y", d = { 1 } }, mode = "send" } },
  { name = "those of the file stay", { var = { "a=1" } }, "m", { m = '{"vars":{"e":1}}' },
    { vars = { a = "1", e = 1 }, mode = "send" } },
  { name = "the rest", { no_tracking = true, metadata = '{"n":4711}', thread_id = "t",
    in_reply_to = "<r>", from_name = "Ann" }, nil, {}, { tracking = false,
    metadata = { n = 4711 }, thread_id = "t", in_reply_to = "<r>", from_name = "Ann",
    mode = "send" } },
  { name = "files", { attach = { "dir/a.PDF", "b" }, message_file = "body" }, nil,
    { ["dir/a.PDF"] = "abc", b = "", body = "Hi\n" },
    { message = "Hi\n", mode = "send", attachments = {
      { filename = "a.PDF", content_type = "application/pdf", content = "YWJj" },
      { filename = "b", content_type = "application/octet-stream", content = "" } } } },
}

--- { options, file, files, a part of the sentence }
local bad = {
  { name = "nothing at all", {}, nil, {}, "there is no message" },
  { name = "no such file", {}, "m", {}, "m: is not there" },
  { name = "no such body", { message_file = "m" }, nil, {}, "m: is not there" },
  { name = "no such attachment", { attach = { "m" } }, nil, {}, "m: is not there" },
  { name = "two bodies", { message = "x", message_file = "m" }, nil, {}, "one of the two" },
  { name = "standard input twice", { message_file = "-" }, "-", { ["-"] = "{}" },
    "can be read only once" },
  { name = "two modes", { draft = true, mode = "send" }, nil, { ["-"] = "{}" }, "one of the two" },
  { name = "no mode", { mode = "x" }, nil, { ["-"] = "{}" }, "--mode is draft or send" },
  { name = "no object", { vars = "[]" }, nil, {}, "--vars: takes a JSON object" },
  { name = "no JSON", { metadata = "{" }, nil, {}, "--metadata: malformed JSON at line 1" },
  { name = "no variable", { var = { "=x" } }, nil, {}, "--var takes NAME=VALUE" },
}

local tests = {
  reads = testing.cases(good, function(case)
    local body, err = body_of(table.unpack(case, 1, 3))
    expect.equal(err, nil)
    expect.equal(body, case[4])
  end),
  refuses = testing.cases(bad, function(case)
    local body, sentence = body_of(table.unpack(case, 1, 3))
    expect.equal(body, nil)
    expect.holds(sentence, case[4])
  end),
}

tests["what is no JSON object is for the service to refuse"] = function()
  for _, text in ipairs { "", "{", "[1]", "1", "null" } do
    local body = assert(submission.read({ subject = "x" }, "m", host_of { m = text }))
    expect.equal(body:string(), text)
  end
end

tests["files may have as much together as a request"] = function()
  local half = ("x"):rep(MAX // 2 + 1)
  expect.refused("payload_too_large", nil,
    body_of({ attach = { "a", "b" } }, nil, { a = half, b = half }))
  expect.refused("payload_too_large", nil,
    body_of({ attach = { "a" } }, nil, { a = ("x"):rep(MAX - 1) }))
  expect.refused("payload_too_large", nil, body_of({ message = ("x"):rep(MAX) }))
end

return tests
