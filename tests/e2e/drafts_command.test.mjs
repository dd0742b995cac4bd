// paraph drafts: what waits, and one of it, at a terminal; on each backend.

import assert from "node:assert/strict";
import { test } from "node:test";
import { start, world } from "./lib/backends.mjs";
import { overlay, PARAPH, run, temporary } from "./lib/service.mjs";
import { atTerminal } from "./lib/terminal.mjs";

const rules = { "policy/review.lua": `
  return { decide = function() return "hold", "so many" end }` };

const drafts = (t, at, args, env = {}) => run(t, ["drafts", ...args], { ...at.env, ...env });

async function printed(t, at, args, env) {
  const { code, stdout, stderr } = await drafts(t, at, args, env);
  assert.deepEqual([code, stderr], [0, ""]);
  return stdout.trimEnd().split("\n");
}

async function shown(t, at, args, columns) {
  const { code, text } = await atTerminal(t, ["drafts", ...args], at.env, { columns });
  assert.equal(code, 0, text);
  return text.trimEnd().split("\r\n");
}

test("the newest first, by status and by what they wait for", async (t) => {
  const service = await start(t, { SCRIPTS_DIR: await overlay(t, rules) });
  const at = service.world;
  const held = (await service.post("/", { to: "Ann <ann@example.com>", subject: "Held",
    message: "Hi", mode: "send" })).json.draft_id;
  const sent = await service.draft({ subject: "Sent" });
  const rejected = await service.draft({ subject: "Rejected" });
  const waiting = await service.draft({ subject: "Waiting" });
  assert.equal((await service.post("/send-draft", { draft_id: sent })).status, 200);
  assert.equal((await service.post(`/drafts/${rejected}/reject`, { reason: "no" })).status, 200);

  const ids = async (...args) =>
    (await printed(t, at, args)).slice(1).map((line) => line.split(" ")[0]);
  assert.deepEqual(await ids(), [waiting, rejected, sent, held]);
  assert.deepEqual(await ids("pending"), [waiting, held]);
  assert.deepEqual(await ids("sent"), [sent]);
  assert.deepEqual(await ids("rejected"), [rejected]);
  assert.deepEqual(await ids("held"), [held]);
  assert.equal((await drafts(t, at, ["--limit", "2"])).stdout.match(/Z  /g).length, 2);

  const [title, ...rows] = await printed(t, at, []);
  assert.match(title, /^ID +CREATED +STATUS +TO +SUBJECT$/);
  assert.match(rows[3], new RegExp(`^${held}  \\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\dZ  ` +
    "held: so many  Ann <ann@example.com>  Held$"));
  const none = await drafts(t, at, ["failed"]);
  assert.deepEqual([none.code, none.stdout, none.stderr], [0, "", "paraph drafts: there are none\n"]);
});

test("--json is the answer of GET /drafts, page by page, and of GET /drafts/ID", async (t) => {
  const service = await start(t);
  const at = service.world;
  const id = await service.draft({ subject: "One", metadata: { order: 1 } });
  await service.draft({ subject: "Two" });
  const all = await printed(t, at, ["--json"]);
  assert.equal(all.length, 1);
  assert.equal(all[0], (await service.get("/drafts")).text);
  const first = JSON.parse(await printed(t, at, ["--json", "--limit=1"]));
  assert.equal(first.drafts[0].subject, "Two");
  const second = JSON.parse(await printed(t, at,
    ["pending", "--json", "--limit", "1", "--page-token", JSON.parse(
      await printed(t, at, ["pending", "--json", "--limit", "1"])).next_page_token]));
  assert.equal(second.drafts[0].subject, "One");
  assert.equal((await printed(t, at, [id, "--json"]))[0], (await service.get(`/drafts/${id}`)).text);

  const { stderr } = await drafts(t, at, ["--limit", "1"]);
  const [, token] = stderr.match(/^paraph drafts: there are more: --page-token (\S+)\n$/);
  const rest = await printed(t, at, ["--page-token", token]);
  assert.match(rest[1], /One$/);
});

test("one draft: its message, the decision with its place, and what has become of it", async (t) => {
  const service = await start(t, { SCRIPTS_DIR: await overlay(t, rules) });
  const at = service.world;
  const { draft_id: id } = (await service.post("/", { to: "ann@example.com", cc: "bob@example.com",
    subject: "Held", message: "One line\nand another", mode: "send", metadata: { order: 1 },
    attachments: [{ filename: "a.txt", content: "YTti" }] })).json;
  assert.equal((await service.patch(`/drafts/${id}`, { subject: "Changed" })).status, 200);
  const text = (await printed(t, at, [id])).join("\n");
  for (const told of [`draft           ${id}`, "status          held: so many",
    "decision        hold (review.decide, policy/review.lua:2)", "to              ann@example.com",
    "cc              bob@example.com", "subject         Changed", 'metadata        {"order":1}',
    "attachment      a.txt (3 B)", "\nOne line\nand another\n"]) {
    assert.ok(text.includes(told), `no "${told}" in\n${text}`);
  }
  assert.match(text, /Z {2}Written by anonymous\n.*Held: so many\n.*Changed by anonymous$/);
  assert.equal((await printed(t, at, [id.slice(0, 8)])).join("\n"), text);
  assert.equal((await printed(t, at, [id.toUpperCase()])).join("\n"), text);
});

test("a table fits the terminal, and what others wrote cannot do anything there", async (t) => {
  const service = await start(t);
  const at = service.world;
  const evil = "\x1b]0;owned\x07\x1b[2J\u202Egnp.exe 漢字 \u{1F600} " + "long ".repeat(30);
  const id = "11111111-1111-4111-8111-111111111111";
  await at.put("email_drafts", { [id]: { to: `${evil}@example.com`, subject: evil,
    body: `first\r\n\x1b[31msecond\x9b2J\u2066`, status: "pending", held: evil, waiting: "held",
    created_by: evil, created_at: "2026-03-01T09:30:00.000000Z",
    decision: { verdict: "hold", rule: evil, reason: evil, at: evil } } });
  await service.draft({ subject: "Kept" });
  const control = /[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/;
  for (const columns of [80, 132]) {
    const lines = await shown(t, at, [], columns);
    for (const line of lines) {
      assert.doesNotMatch(line, control);
      const wide = [...line].reduce((n, c) => n + (/[漢字\u{1F600}]/u.test(c) ? 2 : 1), 0);
      assert.ok(wide <= columns, `${wide} columns: ${line}`);
    }
    assert.match(lines[0], /^ID +CREATED +STATUS +TO +SUBJECT$/);
    assert.match(lines[1], /^[0-9a-f]{8} {2}just now {2}pending +ann@example\.com +Kept$/);
    assert.match(lines[2], /^11111111 .*…/);
  }
  for (const args of [[], [id]]) {
    for (const line of await printed(t, at, args)) assert.doesNotMatch(line, control);
  }
});

test("what cannot be written is exit 1; a reader that has seen enough is told nothing", async (t) => {
  const at = await world(t);
  await start(t, {}, { at }); // so that there is a store
  await at.put("email_drafts", Object.fromEntries(Array.from({ length: 150 }, (_, i) =>
    [`00000000-0000-4000-8000-${String(i).padStart(12, "0")}`, { to: "ann@example.com", body: "x",
      subject: "x".repeat(900), status: "pending", created_at: "2026-03-01T09:30:00.000000Z" }])));
  const into = (command) => run(t, ["drafts"], at.env, { wrap: ["bash", "-c", command, PARAPH] });
  const full = await into('exec "$1" drafts --limit 150 >/dev/full');
  assert.deepEqual([full.code, full.stderr], [1, "paraph drafts: No space left on device\n"]);
  const gone = await into('"$1" drafts --limit 150 | true; exit "${PIPESTATUS[0]}"');
  assert.deepEqual([gone.code, gone.stderr], [1, ""]); // more than a pipe holds
});

test("what is not there, or is no id", async (t) => {
  const at = await world(t);
  const service = await start(t, {}, { at });
  await at.put("email_drafts", Object.fromEntries(["1", "2"].map((n) =>
    [`aaaaaaaa-1111-4111-8111-11111111111${n}`, { to: "ann@example.com", subject: n, body: n,
      status: "pending", created_at: "2026-03-01T09:30:00.000000Z" }])));
  await service.draft();
  for (const [args, exit, told] of [
    [["22222222-2222-4222-8222-222222222222"], 1, /draft_not_found: there is no draft/],
    [["bbbbbbbb"], 1, /draft_not_found: none of the last 200 drafts begins with 'bbbbbbbb'/],
    [["aaaaaaaa"], 1, /draft_not_found: more than one draft begins with 'aaaaaaaa'/],
    [["--page-token", "nonsense"], 1, /invalid_field: .*page/],
    [["waiting\x1b[2J"], 2, /'waiting \[2J' is neither a status nor the id of a draft/],
    [["--limit", "0"], 2, /--limit is a number from 1 to 200, not '0'/],
    [["--limit", "1e2"], 2, /--limit is a number/],
    [["held", "sent"], 2, /one argument too many: 'sent'/],
    [["--all"], 2, /there is no option '--all'/],
  ]) {
    const { code, stdout, stderr } = await drafts(t, at, args);
    assert.deepEqual([code, stdout], [exit, ""], `${args}: ${stderr}`);
    assert.match(stderr, told);
  }
});

test("without a store there is nothing to list, and none is made", async (t) => {
  const DATA_DIR = `${await temporary(t)}/nowhere`;
  for (const args of [["drafts"], ["drafts", "--json"]]) {
    const { code, stdout, stderr } = await run(t, args, { BACKEND: "local", DATA_DIR });
    assert.deepEqual([code, stdout], [1, ""]);
    assert.match(stderr, /there is no store: .*nowhere\/paraph\.db: No such file or directory/);
  }
});
