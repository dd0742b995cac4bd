// The embedded mailbox: a Maildir, a rehearsal of refusals, a pixel at the service's own address.

import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { pixels, read } from "./lib/mail.mjs";
import { assertRefused, file, start } from "./lib/service.mjs";

const letter = { to: "ann@example.com", subject: "Hello", message: "Hi Ann!" };

const service = await start(file);

// What is answered, and what leaves.
async function newMail(action) {
  await service.newMail();
  const reply = await action();
  return { reply, mails: await service.newMail() };
}

test("the outbox is a Maildir", async () => {
  await service.post("/", { ...letter, mode: "send" });
  const dirs = (await readdir(join(service.dataDir, "outbox"))).sort();
  assert.deepEqual(dirs, ["cur", "new", "tmp"]);
  assert.deepEqual(await readdir(join(service.dataDir, "outbox", "tmp")), []);
});

test("the pixel is at the service's own address, unless another is set", async () => {
  const { reply, mails } = await newMail(() => service.post("/", { ...letter, mode: "send" }));
  await read(mails[0], ({ html }) => assert.deepEqual(pixels(html),
    [`<img src="${service.url}/pixel?id=${reply.json.pixel_id}" width="1" height="1" alt="" ` +
      'style="display:none;">']));
});

test("a mailbox that refuses for now, and one that refuses for good", async () => {
  for (const user of ["tempfail", "permfail"]) {
    const to = `${user}@example.test`;
    const { reply, mails } =
      await newMail(() => service.post("/", { ...letter, to, mode: "send" }));
    assert.ok([429, 502, 503].includes(reply.status), reply.text);
    assertRefused(reply, reply.status, reply.json.code);
    assert.equal(mails.length, 0);

    const id = await service.draft({ to });
    const refused = await service.post("/send-draft", { draft_id: id });
    assert.equal(refused.status, reply.status, refused.text);
    const document = await service.document(id);
    assert.equal(document.status, "pending");
    assert.ok(document.error, "the draft does not say what went wrong");
    assert.ok(!document.sending_since && !document.sent_at, JSON.stringify(document));
    const edited = await service.patch(`/drafts/${id}`, { to: "ann@example.com" });
    assert.equal(edited.status, 200, edited.text);
    assert.equal((await service.post("/send-draft", { draft_id: id })).status, 200);
    const sent = await service.document(id);
    assert.equal(sent.status, "sent");
    assert.ok(!sent.error, "the error of before stays");
  }
});
