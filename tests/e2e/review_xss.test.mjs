// Drafts made of vectors of cross-site scripting: on no page does any of it run, load, or become an
// element; and what is shown is shown as it was written.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { openPage, signIn } from "./lib/browser.mjs";
import { bearer } from "./lib/identity.mjs";
import { startReviewed, write } from "./lib/review.mjs";
import { intruders, vectors } from "./lib/xss.mjs";

const AT_ONCE = 9; // vectors in one draft
const LATE = "2020-01-01T00:00:00Z";

const groups = [];
for (let i = 0; i < vectors.length; i += AT_ONCE) groups.push(vectors.slice(i, i + AT_ONCE));

// What a header may hold.
const line = (text) => text.replace(/[\x00-\x1f]/g, " ");

// The frames of letters refuse what is in these letters, and say so, each in its place or, of frames
// in them, with their policy; pages of ours have nothing to refuse.
const isFrame = (text, url) => /\/(html|preview)(\?|$)/.test(url) ||
  /^Framing .* directive: "default-src 'none'"/.test(text);

const FORMATS = ["html", "markdown", "text"];

// A draft as callers can write it: every text in it is a vector, or all of them.
const posted = (some, i) => ({
  to: some.map((vector, n) => `${JSON.stringify(line(vector))} <reader${n}@example.com>`),
  cc: [`${JSON.stringify(line(some[0]))} <copy@example.com>`],
  subject: some.map(line).join(" "),
  format: FORMATS[i % FORMATS.length],
  message: some.join("\n\n"),
  from_name: line(some[1] ?? some[0]).slice(0, 255),
  metadata: Object.fromEntries(some.map((vector) => [vector, vector])),
  attachments: some.map((vector) => ({
    filename: line(vector).slice(0, 255), content_type: "text/html",
    content: Buffer.from(vector).toString("base64"),
  })),
});

// The members that only we write, or others straight into the store.
function stored(some, status, i) {
  const at = (n) => some[n % some.length];
  const all = some.join(" ");
  return {
    to: at(0), cc: [at(1)], bcc: all, reply_to: at(2), from: at(3), from_name: all, subject: all,
    body: some.join("\n"), format: i % 2 ? at(4) : "html", template: i % 3 ? undefined : at(5),
    vars: { [at(6)]: at(7) }, metadata: { [at(0)]: [at(1)] }, status, created_at: LATE,
    created_by: all, edited_by: some, edited_at: at(3), edition: 2, mode: at(4), error: all,
    waiting: ["held", "failed", "approved", at(5)][i % 4], held: all, approved_by: all,
    approved_at: at(6), approved_etag: at(7), leaves_at: "2099-01-01T00:00:00Z", thread_id: at(1),
    in_reply_to: at(2), reject_reason: all, reviewed_by: all, reviewed_at: "2020-01-02T00:00:00Z",
    sent_at: "2020-01-02T00:00:00Z", message_id: at(2), pixel_id: undefined,
    decision: { verdict: at(0), reason: all, rule: at(1), at: at(2) },
    attachments: some.map((vector) => ({ filename: vector, content_type: vector, size: 1 })),
  };
}

const pixelOf = (some) => ({
  to: some[0], subject: some.join(" "), created_at: LATE, open_count: 3, template: some.join(" "),
  opens_person: 1, last_open: { kind: some[0], reason: some[1] ?? some[0] },
  opens: some.map((vector) => ({ at: "2020-01-02T01:00:00Z", kind: vector, reason: vector })),
});

// A page, and everything a person would open on it.
async function look(page, path) {
  await page.goto(path);
  await page.locator("details").evaluateAll((all) => all.forEach((one) => { one.open = true; }));
  assert.deepEqual(await page.evaluate(intruders), [], path);
}

// Focus, pointer and time: what waits for them would have run.
async function touch(page) {
  await page.evaluate(() => {
    for (const one of document.querySelectorAll("*")) {
      one.dispatchEvent(new MouseEvent("mouseover", { bubbles: true }));
      if (one.matches("a, input, button, summary, [tabindex]")) one.focus();
    }
    return new Promise((resolve) => { requestAnimationFrame(() => requestAnimationFrame(resolve)); });
  });
}

test("drafts that callers have posted", async (t) => {
  const { service, keys } = await startReviewed(t);
  const page = await openPage(t, service, { accept: isFrame });
  await signIn(page, keys.ann);
  for (const [i, some] of groups.entries()) {
    const id = await write(service, keys, posted(some, i));
    await look(page, `/review/${id}`);
    await touch(page);
    const letter = await page.locator("h1").innerText();
    assert.ok(letter.replace(/\s+/g, " ").includes(line(some[0]).replace(/\s+/g, " ").trim()),
      `the subject is not as it was written: ${letter}`);
    await look(page, `/review/${id}/edit`);
    await touch(page);
    assert.equal(await page.locator("[name=message]").inputValue(),
      some.join("\n\n").replace(/\r\n?/g, "\n"));
    await look(page, `/review/${id}?images=1`);
  }
  await look(page, "/review");
  await touch(page);
  for (const q of vectors.slice(0, 20)) await look(page, `/review?q=${encodeURIComponent(q)}`);
});

test("the letter itself, out of its frame", async (t) => {
  const { service, keys } = await startReviewed(t);
  const page = await openPage(t, service, { accept: isFrame });
  await signIn(page, keys.ann);
  for (const [i, vector] of vectors.entries()) {
    if (i % 3 > 0) continue; // all of them are in frames above
    const id = await write(service, keys, { to: "a@example.com", subject: "s", format: "html",
      message: `<p>A letter</p>${vector}` });
    await page.goto(`/review/${id}/html?images=1`); // what a letter may do at the most
  }
});

test("documents that others have written into the store", async (t) => {
  const { service, keys } = await startReviewed(t);
  const page = await openPage(t, service, { accept: isFrame });
  await signIn(page, keys.ann);
  const drafts = {}, editions = {}, pixels = {};
  for (const [i, some] of groups.entries()) {
    const id = randomUUID(), pixel = randomUUID();
    const status = ["pending", "sent", "rejected", "sending"][i % 4];
    drafts[id] = { ...stored(some, status, i), pixel_id: pixel };
    pixels[pixel] = { ...pixelOf(some), draft_id: id };
    for (const edition of [0, 1]) {
      editions[`${id}-${edition}`] = { ...stored(groups[(i + 1) % groups.length], "pending", i), edition };
    }
  }
  await service.world.put("email_drafts", drafts);
  await service.world.put("email_opens", pixels);
  await service.world.put("email_drafts_editions", editions);
  for (const tab of ["pending", "held", "failed", "sending", "sent", "rejected"]) {
    await look(page, `/review?tab=${tab}`);
    await touch(page);
  }
  for (const id of Object.keys(drafts)) {
    for (const path of ["", "/edit", "/changes", "/changes?from=0&to=2"]) {
      await look(page, `/review/${id}${path}`);
    }
    await touch(page);
  }
});

test("figures, and what is in addresses", async (t) => {
  const { service, keys } = await startReviewed(t);
  const page = await openPage(t, service, { accept: isFrame });
  await signIn(page, keys.ann);
  const pixels = {}, now = new Date().toISOString();
  for (const vector of vectors) {
    pixels[randomUUID()] = { to: "a@example.com", subject: "s", created_at: now, open_count: 1,
      template: vector, opens: [{ at: now, kind: vector, reason: vector }] };
  }
  await service.world.put("email_opens", pixels);
  await look(page, "/review/stats?days=7");
  await touch(page);
  for (const vector of vectors) {
    const text = encodeURIComponent(vector);
    const address = ["/review?tab=", "/review?page=", "/review/stats?days=", "/review/", "/sign-in?next=",
      "/review?of=x&said="][vectors.indexOf(vector) % 6] + text;
    await look(page, address);
  }
});
