// The review pages as a program meets them: what forms post, and what comes of it; on each backend.
// How they look and feel to a person is in review_*.test.mjs, in a browser.

import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { test } from "node:test";
import { start, world } from "./lib/backends.mjs";
import { assertRefused, overlay, UUID } from "./lib/service.mjs";

const field = (html, name) => html.match(`name="${name}" value="([^"]*)"`)?.[1];

// The tokens of a page, as its forms have them.
async function tokens(service, path) {
  const { status, text } = await service.get(path);
  assert.equal(status, 200, text);
  return { csrf: field(text, "csrf"), etag: field(text, "etag"), edition: field(text, "edition") };
}

const post = (service, path, fields, options) => service.request("POST", path,
  { body: new URLSearchParams(fields), redirect: "manual", ...options });

async function act(service, id, action, fields = {}) {
  return post(service, `/review/${id}/${action}`,
    { ...await tokens(service, `/review/${id}`), ...fields });
}

function assertSaid(reply, said) {
  assert.equal(reply.status, 303, reply.text);
  assert.match(reply.headers.get("location"), new RegExp(`said=${said}\\b`));
}

// Until it has this status, or the time is up.
async function becomes(service, id, status) {
  for (let i = 0; i < 300; i++) {
    const document = await service.document(id);
    if (document.status === status) return document;
    await delay(100);
  }
  assert.fail(`it does not become ${status}: ${JSON.stringify(await service.document(id))}`);
}

const GRACE = { POLICY_UNDO_SECONDS: "1" };
const LONG = { POLICY_UNDO_SECONDS: "3600" };

test("an approved draft leaves by itself, once, as it was seen", async (t) => {
  const service = await start(t, GRACE);
  const id = await service.draft({ subject: "Approved" });
  assertSaid(await act(service, id, "approve"), "approved");
  const waits = await service.document(id);
  assert.deepEqual([waits.status, waits.waiting], ["pending", "approved"]);
  const sent = await becomes(service, id, "sent");
  assert.equal(sent.reviewed_by, "anonymous");
  assert.equal(sent.waiting, undefined);
  assert.deepEqual(await service.world.subjects(), ["Approved"]);
});

test("until then it can be taken back; then it is too late", async (t) => {
  const service = await start(t, LONG);
  const [id, other] = [await service.draft(), await service.draft()];
  assertSaid(await act(service, id, "approve"), "approved");
  assertSaid(await act(service, id, "undo"), "undone");
  const back = await service.document(id);
  assert.deepEqual([back.status, back.waiting, back.approved_by], ["pending", undefined, undefined]);
  assert.deepEqual(await service.mails(), []);

  assert.equal((await service.post("/send-draft", { draft_id: other })).status, 200);
  assertSaid(await act(service, other, "undo"), "too_late");
});

test("an approval outlives the process", async (t) => {
  const at = await world(t);
  const first = await start(t, { POLICY_UNDO_SECONDS: "3" }, { at });
  const id = await first.draft({ subject: "Survives" });
  assertSaid(await act(first, id, "approve"), "approved");
  await first.kill();
  assert.deepEqual(await at.subjects(), []);
  const second = await start(t, {}, { at });
  await becomes(second, id, "sent");
  assert.deepEqual(await at.subjects(), ["Survives"]);
});

test("two instances let one approval out once", async (t) => {
  const at = await world(t);
  const services = await Promise.all([1, 2, 3].map(() => start(t, GRACE, { at })));
  const ids = await Promise.all(Array.from({ length: 6 }, (_, i) =>
    services[0].draft({ subject: `Nr. ${i}` })));
  await Promise.all(ids.flatMap((id) => services.map((service) => act(service, id, "approve"))));
  for (const id of ids) await becomes(services[0], id, "sent");
  assert.deepEqual((await at.subjects()).sort(), ids.map((_, i) => `Nr. ${i}`));
});

test("who changes an approved draft takes its approval back", async (t) => {
  const service = await start(t, GRACE);
  const id = await service.draft();
  assertSaid(await act(service, id, "approve"), "approved");
  await service.patch(`/drafts/${id}`, { subject: "Not what was seen" });
  await delay(1500);
  const edited = await service.document(id);
  assert.deepEqual([edited.status, edited.waiting], ["pending", undefined]);
  assert.deepEqual(await service.mails(), []);
});

test("an approval of what has changed shows what differs, and sends nothing", async (t) => {
  const service = await start(t, GRACE);
  const id = await service.draft({ subject: "Before", message: "one\ntwo" });
  const seen = await tokens(service, `/review/${id}`);
  await service.patch(`/drafts/${id}`, { subject: "After" });
  const reply = await post(service, `/review/${id}/approve`, seen);
  assert.equal(reply.status, 409);
  assert.match(reply.text, /<del>Before<\/del>[^]*<ins>After<\/ins>/);
  assert.equal((await service.document(id)).waiting, undefined);
  const now = { csrf: field(reply.text, "csrf"), etag: field(reply.text, "etag") };
  assertSaid(await post(service, `/review/${id}/approve`, now), "approved");
  await becomes(service, id, "sent");
});

test("an edit is an edition; one of what has changed is not made", async (t) => {
  const service = await start(t);
  const id = await service.draft({ subject: "First", message: "one\ntwo\nthree" });
  const seen = await tokens(service, `/review/${id}/edit`);
  const message = "one\r\n2\r\nthree";
  assertSaid(await post(service, `/review/${id}/edit`, { ...seen, message }), "saved");
  const document = await service.document(id);
  assert.deepEqual([document.edition, document.body, document.edited_by],
    [1, "one\n2\nthree", ["anonymous"]]);
  const changes = await service.get(`/review/${id}/changes?from=0&to=1`);
  assert.match(changes.text, /<del>two<\/del>\s*<ins>2<\/ins>/);

  const late = await post(service, `/review/${id}/edit`, { ...seen, subject: "Mine" });
  assert.equal(late.status, 409);
  assert.equal(field(late.text, "subject"), "Mine");
  assert.match(late.text, /<ins>2<\/ins>/);
  assert.ok(!/what is marked/.test(late.text), "nothing is marked");
  assert.equal((await service.document(id)).subject, "First");
  assertRefused(await service.get(`/drafts/${id}-0`), 404, "draft_not_found");
});

test("however long a message is, there is a page of its changes", async (t) => {
  const service = await start(t);
  const changed = async (message, patch) => {
    const id = await service.draft({ subject: "Before", message });
    const edited = await service.patch(`/drafts/${id}`, patch);
    assert.equal(edited.status, 200, edited.text);
    const reply = await service.get(`/review/${id}/changes`);
    assert.equal(reply.status, 200, reply.text);
    return reply.text;
  };
  const lines = (letter) => `${letter.repeat(10)}\n`.repeat(50000);
  const replaced = await changed(lines("x"), { message: lines("y") });
  assert.match(replaced, /<del>x+<\/del>[^]*Lines removed, not shown: \d+[^]*<ins>y+<\/ins>/);
  assert.match(replaced, /Lines added, not shown: \d+/);
  const breaks = "\n".repeat(448000);
  assert.match(await changed(`${breaks}a`, { subject: "After" }), /<del>Before<\/del>/);
  assert.match(await changed(`${breaks}a`, { message: `${breaks}b` }),
    /Lines that are the same: 447997[^]*<del>a<\/del>/);
  await changed("'".repeat(800000), { message: "<".repeat(800000) });
});

test("what is wrong with an edit is said in the language of the page", async (t) => {
  const service = await start(t);
  const id = await service.draft();
  const seen = await tokens(service, `/review/${id}/edit`);
  const reply = await post(service, `/review/${id}/edit`, { ...seen, to: "bob@" },
    { headers: { "Accept-Language": "fr" } });
  assert.equal(reply.status, 400);
  assert.match(reply.text, /id="to-wrong">Une adresse est incorrecte\u00a0: &#39;bob@&#39; is /);
});

test("an edit of what was decided meanwhile is shown, to be copied", async (t) => {
  const service = await start(t);
  const id = await service.draft();
  const seen = await tokens(service, `/review/${id}/edit`);
  assert.equal((await service.post(`/drafts/${id}/reject`, {})).status, 200);
  const late = await post(service, `/review/${id}/edit`, { ...seen, message: "An hour of work" });
  assert.equal(late.status, 409);
  assert.match(late.text, /decided meanwhile[^]*<textarea [^>]*readonly[^>]*>\s*An hour of work</);
  assert.ok(!/<button class="primary"/.test(late.text), "it can be saved");
});

test("a selection: each draft with its result", async (t) => {
  const service = await start(t, GRACE);
  const ids = [];
  for (let i = 0; i < 4; i++) ids.push(await service.draft({ subject: `Nr. ${i}` }));
  const { text } = await service.get("/review");
  const boxes = [...text.matchAll(/name="draft" value="([^"]+)"/g)].map(([, value]) => value);
  assert.deepEqual(boxes.map((box) => box.slice(0, 36)), [...ids].reverse());
  await service.patch(`/drafts/${ids[1]}`, { subject: "Changed" });
  await service.post(`/drafts/${ids[2]}/reject`, {});
  const form = new URLSearchParams({ csrf: field(text, "csrf"), action: "approve" });
  for (const box of boxes) form.append("draft", box);
  const reply = await service.request("POST", "/review/bulk", { body: form });
  assert.equal(reply.status, 200, reply.text);
  const rows = reply.text.match(/<tr class="[^]*?<\/tr>/g);
  assert.equal(rows.length, 4);
  assert.equal(rows.filter((row) => row.startsWith('<tr class="ok">')).length, 2);
  await becomes(service, ids[0], "sent");
  await becomes(service, ids[3], "sent");
  assert.deepEqual((await service.world.subjects()).sort(), ["Nr. 0", "Nr. 3"]);

  const none = await post(service, "/review/bulk", { csrf: field(text, "csrf"), action: "approve" });
  assertSaid(none, "nothing");
});

test("forms that were not on a page for the caller do nothing", async (t) => {
  const service = await start(t, GRACE);
  const id = await service.draft();
  const { csrf, etag } = await tokens(service, `/review/${id}`);
  for (const wrong of [undefined, "", csrf.slice(0, -1), csrf.toUpperCase(), "0".repeat(64)]) {
    for (const action of ["approve", "reject", "test", "edit", "undo", "preview"]) {
      const reply = await post(service, `/review/${id}/${action}`,
        { ...(wrong !== undefined && { csrf: wrong }), etag, to: "me@example.com", subject: "x" });
      assert.equal(reply.status, 403, action);
      assert.match(reply.headers.get("content-type"), /^text\/html/);
    }
  }
  const json = await service.post(`/review/${id}/approve`, { csrf, etag });
  assert.equal(json.status, 415);
  assert.equal((await service.document(id)).subject, "Hello");
  assert.deepEqual(await service.mails(), []);
});

test("the list: tabs with counts, search, notices", async (t) => {
  const service = await start(t, { ...LONG, SCRIPTS_DIR: await overlay(t, { "policy/review.lua": `
    return { decide = function() return "hold", "because" end }` }) });
  const pending = await service.draft({ subject: "Needle in it" });
  const held = (await service.post("/", { to: "ann@example.com", subject: "Held back",
    message: "Hi", mode: "send" })).json.draft_id;
  await service.post(`/drafts/${await service.draft()}/reject`, { reason: "No." });
  const counts = (text) => Object.fromEntries([...text.matchAll(
    /href="\/review(?:\?tab=(\w+))?"[^>]*>[^<]* <span class="n">([^<]*)</g)]
    .map(([, tab = "pending", n]) => [tab, n]));
  const { text } = await service.get("/review");
  assert.deepEqual(counts(text),
    { pending: "2", held: "1", failed: "0", sending: "0", sent: "0", rejected: "1" });
  const ids = ({ text: html }) => [...html.matchAll(/<a id="([^"]+)"/g)].map(([, id]) => id);
  assert.deepEqual(ids(await service.get("/review")), [held, pending]);
  assert.deepEqual(ids(await service.get("/review?tab=held")), [held]);
  assert.deepEqual(ids(await service.get("/review?q=NEEDLE")), [pending]);
  assert.deepEqual(ids(await service.get("/review?q=ann%40example.com")), [held, pending]);
  assert.deepEqual(ids(await service.get("/review?tab=held&q=needle")), []);
  assert.match((await service.get("/review?tab=held")).text, /because/);
  const french = await service.get("/review", { headers: { "Accept-Language": "fr-CA,fr;q=0.9" } });
  assert.match(french.text, /<html lang="fr">/);
});

test("new drafts are news to whoever waits", async (t) => {
  const service = await start(t);
  await service.draft();
  const since = (await service.get("/review")).text.match(/data-since="([^"]+)"/)[1];
  const waiting = service.get(`/review/news?since=${encodeURIComponent(since)}`);
  const early = await Promise.race([waiting, delay(700, "waits")]);
  assert.equal(early, "waits");
  const id = await service.draft();
  assert.match(id, UUID);
  const reply = await waiting;
  assert.equal(reply.headers.get("content-type"), "text/event-stream");
  const [, next, data] = reply.text.match(/^id: (.+)\nevent: news\ndata: (.+)\n\n/m);
  assert.deepEqual(JSON.parse(data), { drafts: 1, since: next });
  // Who waits is not waited for.
  const endless = service.get(`/review/news?since=${encodeURIComponent(next)}`);
  await delay(200);
  const stopped = service.stop();
  assert.equal((await endless).status, 503);
  await stopped;
});

test("headers: nothing is kept, nothing is loaded, a letter is held apart", async (t) => {
  const service = await start(t);
  const id = await service.draft({ format: "html", message: "<script>x()</script><p>Hi" });
  const nonces = new Set();
  for (const path of ["/review", "/review/stats", `/review/${id}`, `/review/${id}/edit`]) {
    const { headers, text } = await service.get(path);
    const policy = headers.get("content-security-policy");
    const nonce = policy.match(/script-src 'nonce-([^']+)'/)[1];
    assert.match(policy, /^default-src 'none'; /);
    assert.ok(!/unsafe|https?:|\*/.test(policy), policy);
    assert.ok(text.includes(`nonce="${nonce}"`), path);
    assert.equal(headers.get("cache-control"), "no-store");
    nonces.add(nonce);
  }
  assert.equal(nonces.size, 4, "a nonce is used twice");
  const frame = await service.get(`/review/${id}/html`);
  assert.match(frame.headers.get("content-security-policy"),
    /^sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; /);
  const images = await service.get(`/review/${id}/html?images=1`);
  assert.match(images.headers.get("content-security-policy"), /img-src data: https: http:;/);
  const missing = await service.get("/review/6ba7b810-9dad-41d1-80b4-00c04fd430c8");
  assert.equal(missing.status, 404);
  assert.match(missing.headers.get("content-type"), /^text\/html/);
  const { text } = await service.get("/review");
  const style = text.match(/href="(\/assets\/style.css\?v=\w+)"/)[1];
  assert.match((await service.get(style)).headers.get("cache-control"), /immutable/);
});
