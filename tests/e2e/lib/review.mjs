// A person who reviews ten drafts, by whatever means: what is done, and what must have come of it.

import assert from "node:assert/strict";
import { openPage, signIn, until } from "./browser.mjs";
import { apiKeys, bearer } from "./identity.mjs";
import { start } from "./backends.mjs";
import { read, trimmed } from "./mail.mjs";

const GRACE_S = 20; // in which an approval can be taken back, on a slow machine, too
const COUNT = 10;

// Keys of a reviewer, of a colleague, and of the program that writes drafts.
export async function startReviewed(t, env = {}) {
  const { keys, env: keyed } = await apiKeys(t, { ann: ["review"], bob: ["review"], crm: ["draft"] });
  const service = await start(t, { ...keyed, POLICY_UNDO_SECONDS: String(GRACE_S), ...env });
  return { service, keys };
}

// A draft that the program writes; its id.
export async function write(service, keys, members) {
  const reply = await service.post("/", { mode: "draft", ...members }, bearer(keys.crm));
  assert.equal(reply.status, 200, reply.text);
  return reply.json.draft_id;
}

const subject = (n) => `Letter ${n}`;
const text = (n) => `This is what letter ${n} says.`;

async function writeAll(service, keys) {
  const ids = [null];
  for (let n = 1; n <= COUNT; n++) {
    ids[n] = await write(service, keys,
      { to: `reader${n}@example.com`, subject: subject(n), message: text(n) });
  }
  return ids;
}

// Where a decision leads: to another draft (or none: the list), with a notice of what was decided.
async function told(page, id, about) {
  await page.waitForURL((url) => url.pathname === (id ? `/review/${id}` : "/review"));
  await page.locator("#notice", { hasText: about }).waitFor();
}

// Somebody else changes a draft that is open just now. It can be approved as it is then, once the
// person has seen what has changed.
async function approveChanged(page, person, { service, keys, id }) {
  const changed = await service.patch(`/drafts/${id}`, { message: "Bob knows better." },
    bearer(keys.bob));
  assert.equal(changed.status, 200, changed.text);
  await person.approve(page);
  const difference = page.locator(".changed");
  await difference.waitFor();
  assert.match(await difference.locator("del").allInnerTexts().then(String), /what letter 7 says/);
  assert.match(await difference.locator("ins").allInnerTexts().then(String), /Bob knows better/);
  assert.match(await difference.innerText(), /bob/);
  await person.approve(page);
}

async function review(page, person, ids, context) {
  await person.open(page, ids[10]);
  await page.waitForURL(`**/review/${ids[10]}`);
  await person.approve(page);
  await told(page, ids[9], subject(10));
  await person.edit(page, { message: " Edited." });
  await told(page, ids[9], "Saved");
  await person.approve(page);
  await told(page, ids[8], subject(9));
  await person.reject(page, "not to be said");
  await told(page, ids[7], subject(8));
  await approveChanged(page, person, { ...context, id: ids[7] });
  await told(page, ids[6], subject(7));
  await person.approve(page);
  await told(page, ids[5], subject(6));
  await person.undo(page);
  await told(page, ids[6], subject(6));
  await person.next(page);
  await page.waitForURL(`**/review/${ids[5]}`);
  await person.edit(page, { subject: ", edited", message: " And so on." });
  await told(page, ids[5], "Saved");
  for (let n = 5; n >= 1; n--) {
    await person.approve(page);
    await told(page, ids[n - 1], subject(n)); // after the last one the list
  }
}

const SENT = {
  10: {}, 9: { says: `${text(9)} Edited.` }, 7: { says: "Bob knows better." },
  5: { subject: `${subject(5)}, edited`, says: `${text(5)} And so on.` }, 4: {}, 3: {}, 2: {}, 1: {},
};

async function checkMails(service) {
  const mails = await service.mails();
  assert.equal(mails.length, Object.keys(SENT).length);
  const found = {};
  for (const { bytes } of mails) {
    await read(bytes, (mail) => {
      const n = Number(mail.to[0].address.match(/^reader(\d+)@/)[1]);
      assert.equal(mail.subject, SENT[n].subject ?? subject(n));
      const [says] = trimmed(mail.text).split("\n\n-- \n"); // then the signature
      assert.equal(says, SENT[n].says ?? text(n));
      found[n] = true;
    });
  }
  assert.deepEqual(Object.keys(found), Object.keys(SENT));
}

async function checkStore(service, ids) {
  for (let n = 1; n <= COUNT; n++) {
    const stored = await service.world.stored("email_drafts", ids[n]);
    const status = SENT[n] ? "sent" : n === 8 ? "rejected" : "pending";
    assert.equal(stored.status, status, `of letter ${n}`);
    assert.equal(stored.reviewed_by, status === "pending" ? undefined : "ann");
    assert.equal(stored.reject_reason, n === 8 ? "not to be said" : undefined);
    assert.equal(stored.waiting, undefined, `of letter ${n}`);
    assert.deepEqual(stored.edited_by, { 9: ["ann"], 7: ["bob"], 5: ["ann"] }[n]);
  }
}

// `person`: how things are done, as functions of the page: open(id), approve(), reject(reason),
// edit({ subject, message }) by adding at the end, undo(), next().
export async function reviewTen(t, person, options = {}) {
  const { service, keys } = await startReviewed(t);
  const ids = await writeAll(service, keys);
  const page = await openPage(t, service, options);
  await signIn(page, keys.ann);
  await review(page, person, ids, { service, keys });
  await until(page, async () => (await service.mails()).length >= Object.keys(SENT).length,
    "that all approved mail has left");
  await until(page, async () => {
    const statuses = await Promise.all(
      Object.keys(SENT).map((n) => service.world.stored("email_drafts", ids[n])));
    return statuses.every(({ status }) => status === "sent");
  }, "that all of it is marked");
  await checkMails(service);
  await checkStore(service, ids);
  await page.goto("/review");
  const left = await page.locator("#list a").evaluateAll((all) => all.map(({ href }) => href));
  assert.deepEqual(left, [`${service.url}/review/${ids[6]}`]);
}

// It waits where a double click could be under way.
export const approveButton = (page) => page.locator("form[action$='/approve'] button:enabled");

// By clicking at what there is to see.
export const clicks = {
  open: (page, id) => page.locator(`a[href="/review/${id}"]`).click(),
  approve: (page) => approveButton(page).click(),
  next: (page) => page.locator("a[aria-keyshortcuts=J]").click(),
  undo: (page) => page.locator("#notice form[action$='/undo'] button").click(),
  async reject(page, reason) {
    await page.locator("summary[aria-keyshortcuts=R]").click();
    await page.locator("#reason").fill(reason);
    await page.locator("form[action$='/reject'] button").click();
  },
  async edit(page, added) {
    await page.locator("a[href$='/edit']").click();
    for (const [name, text] of Object.entries(added)) {
      const field = page.locator(`[name=${name}]`);
      await field.fill(await field.inputValue() + text);
    }
    await page.locator("#edit button.primary").click();
  },
};
