// paraph send: a message from the command line, through the policies of the service; on each backend.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { start, world } from "./lib/backends.mjs";
import { pixels, read, trimmed } from "./lib/mail.mjs";
import { overlay, put, run, temporary, UUID } from "./lib/service.mjs";

const HELLO = ["--to", "ann@example.com", "--subject", "Hello", "--message", "Hi Ann!"];

const rules = { "policy/review.lua": `
  return { decide = function(letter)
    local verdict = letter.draft.subject:match("^%l+")
    if verdict == "fail" then error("the bug") end
    return verdict or "send", "because of its subject", "by subject"
  end }` };

// The command in a world, and what is said when all is well: one line.
const send = (t, at, args, options = {}) =>
  run(t, ["send", ...args], { ...at.env, ...options.env }, options);

async function said(t, at, args, options) {
  const { code, stdout, stderr } = await send(t, at, args, options);
  assert.deepEqual([code, stderr], [0, ""], stdout);
  assert.match(stdout, /^[^\n]+\n$/);
  return stdout.trimEnd();
}

async function failed(t, at, args, options) {
  const { code, stdout, stderr } = await send(t, at, args, options);
  assert.deepEqual([code, stdout], [1, ""], stderr);
  return stderr.trimEnd();
}

// --- what leaves ----------------------------------------------------------------------------------

test("options make the message that a request makes", async (t) => {
  const at = await world(t);
  const dir = await temporary(t);
  await put(dir, "Angebot ä.pdf", "%PDF-1.4");
  await put(dir, "data.unknown", Buffer.from([0, 1, 2, 255]));
  const line = await said(t, at, ["--to", "Ann <ann@example.com>, ben@example.com",
    "--to=cleo@example.com", "--cc", "dan@example.com", "--bcc", "eve@example.com",
    "--from-name", "Sam Sender", "--reply-to", "desk@example.com", "--subject", "Grüße",
    "--message", "Es geht um *alles*.", "--format", "markdown",
    "--attach", join(dir, "Angebot ä.pdf"), "--attach", join(dir, "data.unknown")]);
  const [, id, pixel] =
    line.match(/^sent: message (\S+), thread \S+; opens are counted as (\S+)$/) ?? assert.fail(line);
  assert.match(pixel, UUID);
  const [mail, ...more] = await at.mails();
  assert.deepEqual(more, []);
  assert.ok(mail.name.includes(id), `${mail.name} is not ${id}`);
  await read(mail.bytes, (letter) => {
    assert.deepEqual(letter.to.map(({ address }) => address),
      ["ann@example.com", "ben@example.com", "cleo@example.com"]);
    assert.equal(letter.to[0].name, "Ann");
    assert.deepEqual(letter.cc.map(({ address }) => address), ["dan@example.com"]);
    assert.deepEqual(letter.replyTo.map(({ address }) => address), ["desk@example.com"]);
    assert.equal(letter.from[0].name, "Sam Sender");
    assert.equal(letter.subject, "Grüße");
    assert.match(letter.html, /<em>alles<\/em>/);
    assert.match(pixels(letter.html)[0], new RegExp(pixel));
    assert.deepEqual(letter.attachments.map(({ filename, type, content }) =>
      [filename, type, content.toString("latin1")]), [
      ["Angebot ä.pdf", "application/pdf", "%PDF-1.4"],
      ["data.unknown", "application/octet-stream", "\0\x01\x02\xff"],
    ]);
  });
});

test("a JSON file is a request; options go before what it says, or add to it", async (t) => {
  const at = await world(t);
  const dir = await temporary(t);
  await put(dir, "note.txt", "a note");
  await put(dir, "message.json", JSON.stringify({
    to: "ann@example.com", subject: "From the file", message: "Gone", format: "html",
    attachments: [{ filename: "a.csv", content_type: "text/csv", content: "YTti" }],
  }));
  await put(dir, "body.txt", "The body\nof a file\n");
  await said(t, at, [join(dir, "message.json"), "--subject", "From an option", "--format", "text",
    "--message-file", join(dir, "body.txt"), "--attach", join(dir, "note.txt"), "--no-tracking"]);
  const [mail] = await at.mails();
  await read(mail.bytes, (letter) => {
    assert.equal(letter.subject, "From an option");
    assert.ok(trimmed(letter.text).startsWith("The body\nof a file"), letter.text);
    assert.deepEqual(pixels(letter.html), []);
    assert.deepEqual(letter.attachments.map(({ filename, type }) => [filename, type]),
      [["a.csv", "text/csv"], ["note.txt", "text/plain"]]);
  });
});

test("a request or a body comes from standard input, too", async (t) => {
  const at = await world(t);
  const request = JSON.stringify({ to: "ann@example.com", subject: "piped", message: "Hi" });
  await said(t, at, [], { input: request });
  await said(t, at, ["-", "--subject", "named"], { input: request });
  await said(t, at, ["--to", "ann@example.com", "--subject", "body", "--message-file", "-"],
    { input: "Hi from a pipe" });
  assert.deepEqual((await at.subjects()).toSorted(), ["body", "named", "piped"]);
});

test("what looks like an option can be a value, or a file", async (t) => {
  const at = await world(t);
  const dir = await temporary(t);
  await put(dir, "--dry-run", JSON.stringify({ to: "ann@example.com", subject: "a file",
    message: "Hi" }));
  await said(t, at, ["--to", "ann@example.com", "--subject=--dry-run", "--message", "-- \nAnn"]);
  await said(t, at, ["--", "--dry-run"],
    { wrap: ["sh", "-c", `cd '${dir}' && exec "$0" "$@"`] });
  assert.deepEqual((await at.subjects()).toSorted(), ["--dry-run", "a file"]);
});

test("a template, with its variables from a file, an object and one by one", async (t) => {
  const at = await world(t);
  const dir = await temporary(t);
  await put(dir, "m.json", JSON.stringify({ to: "bob@example.com", subject: "Welcome",
    message: "in place of this", vars: { product: "Nothing", name: "Nobody" } }));
  await said(t, at, [join(dir, "m.json"), "--template", "welcome",
    "--vars", '{"product": "Paraph", "name": "Nobody"}', "--var", "name=Bob = you"]);
  const [mail] = await at.mails();
  await read(mail.bytes, ({ text }) => {
    assert.match(text, /Paraph/);
    assert.match(text, /Bob = you/);
    assert.doesNotMatch(text, /Nobody|Nothing/);
  });
});

test("--json is the answer of POST /, on one line", async (t) => {
  const service = await start(t, { SCRIPTS_DIR: await overlay(t, rules) });
  const at = service.world, env = { SCRIPTS_DIR: await overlay(t, rules) };
  const { code, stdout } = await send(t, at, [...HELLO, "--json"], { env });
  assert.equal(code, 0);
  assert.match(stdout, /^\{.*\}\n$/);
  const asked = await service.post("/",
    { to: "ann@example.com", subject: "Hello", message: "Hi Ann!", mode: "send" });
  assert.deepEqual(Object.keys(JSON.parse(stdout)), Object.keys(asked.json));
  const refused = await send(t, at, ["--to", "ann", "--subject", "x", "--message", "y", "--json"],
    { env });
  const { request_id: id, ...rest } = JSON.parse(refused.stdout);
  assert.match(id, UUID);
  assert.deepEqual(rest, { status: "error", code: "invalid_recipient",
    error: "to: 'ann' is not an e-mail address: the @ is missing", field: "to" });
  assert.deepEqual([refused.code, refused.stderr], [1, ""]);
});

// --- what the policies make of it -----------------------------------------------------------------

test("drafts: as asked, held by a rule, held by the brake", async (t) => {
  const service = await start(t);
  const at = service.world, env = { SCRIPTS_DIR: await overlay(t, rules) };
  const asked = await said(t, at, [...HELLO, "--draft", "--metadata", '{"order": 4711}']);
  const [, id] = asked.match(/^draft (\S+) waits at \/review\/\1$/) ?? assert.fail(asked);
  const draft = await service.document(id);
  assert.deepEqual([draft.status, draft.created_by, draft.metadata],
    ["pending", "command line", { order: 4711 }]);

  const hold = ["--to", "ann@example.com", "--subject", "hold this", "--message", "Hi"];
  const held = await said(t, at, hold, { env });
  assert.match(held, /^held: because of its subject \(by subject, policy\/review\.lua:2\); draft /);
  const braked = await said(t, at, HELLO, { env: { NO_SEND: "1" } });
  assert.match(braked, /^held: no_send \(NO_SEND, environment\); draft (\S+) waits at \/review\/\1$/);
  assert.deepEqual(await at.mails(), []);
});

test("a refusal, and a rule that fails: exit 1, with the rule and its place", async (t) => {
  const at = await world(t);
  const env = { SCRIPTS_DIR: await overlay(t, rules) };
  const letter = (subject) => ["--to", "ann@example.com", "--subject", subject, "--message", "Hi"];
  assert.equal(await failed(t, at, letter("refuse it"), { env }), "paraph send: " +
    "refused_by_policy: because of its subject (by subject, policy/review.lua:2)");
  const lines = (await failed(t, at, letter("fail"), { env })).split("\n");
  assert.match(lines.at(-1), /^paraph send: policy_error: .*; draft (\S+) waits at \/review\/\1$/);
  assert.match(lines[0], /policy\/review\.lua:4: the bug/);
  assert.deepEqual(await at.mails(), []);
});

test("the same command under one key sends once", async (t) => {
  const at = await world(t);
  const args = [...HELLO, "--idempotency-key", "order-4711"];
  const first = await said(t, at, args);
  assert.equal(await said(t, at, args), `before, under this key, ${first}`);
  assert.match(await failed(t, at, [...args, "--cc", "bob@example.com"]), /idempotency_conflict: /);
  assert.equal((await at.mails()).length, 1);
});

// --- what is wrong --------------------------------------------------------------------------------

test("what the message lacks is said as by the service", async (t) => {
  const at = await world(t);
  const dir = await temporary(t);
  await writeFile(join(dir, "bad.json"), '{"to": "ann@example.com",\n "subject": }');
  await writeFile(join(dir, "nul.txt"), "a\0b");
  await writeFile(join(dir, "list.json"), "[1]");
  await writeFile(join(dir, "odd.json"), '{"to": "ann@example.com", "sbject": "x"}');
  const to = HELLO.slice(0, 4);
  for (const [args, told] of [
    [[join(dir, "bad.json")], /malformed_json: .*line 2, column 13/],
    [[join(dir, "bad.json"), "--subject", "x"], /malformed_json: .*line 2/],
    [[join(dir, "list.json")], /invalid_field: .*object/],
    [[join(dir, "odd.json")], /unknown_field: sbject/],
    [[], /malformed_json: the body is empty/],
    [to, /invalid_field: message: is missing/],
    [[...to, "--message-file", join(dir, "nul.txt")], /invalid_field: message: must not contain NUL/],
    [[...HELLO, "--format", "rtf"], /invalid_field: format/],
    [[...HELLO, "--from", "ceo@example.org"], /forbidden: .*ALLOWED_SENDERS/],
    [[...to, "--template", "none"], /invalid_field: template: there is no mail template 'none'/],
    [[...HELLO, "--idempotency-key", "ä"], /invalid_field: .*[Ii]dempotency/],
  ]) assert.match(await failed(t, at, args), told);
  assert.deepEqual(await at.mails(), []);
});

test("what is too large is said before it is sent", async (t) => {
  const at = await world(t);
  const dir = await temporary(t);
  const sized = async (name, size) => {
    await writeFile(join(dir, name), "");
    await truncate(join(dir, name), size);
    return join(dir, name);
  };
  const MB = 1000000;
  const large = await sized("large", 40 * MB), most = await sized("most", 30 * MB);
  for (const [args, told] of [
    [["--attach", large], /payload_too_large: .*large: more than MAX_BODY_BYTES, which is 33554432/],
    [["--attach", most], /payload_too_large: the message has 40000000 bytes, .*33554432/],
    [["--attach", most, "--attach", most], /payload_too_large: all files together/],
  ]) assert.match(await failed(t, at, [...HELLO, ...args]), told);
  assert.match(await failed(t, at, [large]), /payload_too_large/);
  const { code, stdout } = await send(t, at, [...HELLO, "--attach", large, "--json"]);
  assert.deepEqual([code, JSON.parse(stdout).code], [1, "payload_too_large"]);
  assert.deepEqual(await at.mails(), []);
});

test("an attachment as large as may be", async (t) => {
  const at = await world(t);
  const path = join(await temporary(t), "large.bin");
  await writeFile(path, "");
  await truncate(path, 24_000_000);
  await said(t, at, [...HELLO, "--attach", path]);
  const [mail] = await at.mails();
  assert.ok(mail.bytes.length > 32_000_000);
});

test("wrong usage is exit 2, says what is wrong, and touches nothing", async (t) => {
  const dir = await temporary(t);
  const env = { DATA_DIR: join(dir, "data") };
  for (const [args, told] of [
    [["--bogus"], /^paraph send: there is no option '--bogus'\n/],
    [["--bogus=1"], /there is no option '--bogus'/],
    [["-t", "a@example.com"], /there is no option '-t'/],
    [["--to"], /--to needs a value/],
    [["--subject", "--to", "a@example.com"], /--subject needs a value; .*--subject=--to/],
    [["--subject", "a", "--subject", "b"], /--subject is given twice/],
    [["--draft=yes"], /--draft takes no value/],
    [["a.json", "b.json"], /one argument too many: 'b.json'/],
    [[join(dir, "none.json")], /none\.json: No such file or directory/],
    [[dir], /Is a directory/],
    [[...HELLO, "--attach", join(dir, "none.pdf")], /none\.pdf: No such file/],
    [[...HELLO, "--message-file", "x"], /--message and --message-file/],
    [["-", "--message-file", "-"], /standard input can be read only once/],
    [[...HELLO, "--mode", "later"], /--mode is draft or send, not 'later'/],
    [[...HELLO, "--mode", "send", "--draft"], /--draft and --mode send/],
    [[...HELLO, "--vars", "{"], /--vars: malformed JSON at line 1/],
    [[...HELLO, "--metadata", "[1]"], /--metadata: takes a JSON object/],
    [[...HELLO, "--var", "name"], /--var takes NAME=VALUE, not 'name'/],
    [[...HELLO, "--dry-run", "--json"], /--dry-run prints the message itself/],
    [["--bogus\x1b[2J"], /there is no option '--bogus \[2J'/],
  ]) {
    const { code, stdout, stderr } = await run(t, ["send", ...args], env, { input: "{}" });
    assert.deepEqual([code, stdout], [2, ""], `${args}: ${stderr}`);
    assert.match(stderr, told);
    assert.match(stderr, /^usage: paraph send /m);
    assert.ok(!stderr.includes("\x1b"));
  }
  const invalid = await run(t, ["send", "--to", "ann@example.com"], env,
    { wrap: ["sh", "-c", 'exec "$0" "$@" --subject "$(printf "\\377")"'] });
  assert.equal(invalid.code, 2, invalid.stderr);
  assert.match(invalid.stderr, /argument 4 is not UTF-8/);
  assert.ok(!existsSync(env.DATA_DIR));
});
