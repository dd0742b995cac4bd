// The review pages without a mouse: ten drafts, by keys alone.

import assert from "node:assert/strict";
import { test } from "node:test";
import { openPage, signIn, until } from "./lib/browser.mjs";
import { approveButton, reviewTen, startReviewed, write } from "./lib/review.mjs";

const FIELDS = 40; // that Tab may have to go through

const press = (page, keys) => page.keyboard.press(keys);

// Go on with Tab until a field has the focus, as somebody does who sees where he is.
async function tabTo(page, name) {
  for (let i = 0; i < FIELDS; i++) {
    if (await page.evaluate(() => document.activeElement?.getAttribute("name")) === name) return;
    await press(page, "Tab");
  }
  throw new Error(`Tab does not lead to ${name}`);
}

const keys = {
  async open(page) {
    await press(page, "j");
    await press(page, "Enter");
  },
  async approve(page) {
    await approveButton(page).waitFor();
    await press(page, "a");
  },
  next: (page) => press(page, "j"),
  undo: (page) => press(page, "u"),
  async reject(page, reason) {
    await press(page, "r");
    await page.locator("#reason:focus").waitFor();
    await page.keyboard.type(reason);
    await press(page, "Enter");
  },
  async edit(page, added) {
    await press(page, "e");
    await page.waitForURL("**/edit");
    for (const [name, text] of Object.entries(added)) {
      await tabTo(page, name);
      await press(page, name === "message" ? "Control+End" : "End");
      await page.keyboard.type(text);
    }
    await press(page, "Control+Enter");
  },
};

test("ten drafts by keys alone", (t) => reviewTen(t, keys));

test("who decides faster than the service answers loses no decision", async (t) => {
  const { service, keys: { ann, ...others } } = await startReviewed(t);
  const ids = [];
  for (const n of [1, 2]) {
    ids.push(await write(service, others, { to: "a@example.com", subject: `${n}`, message: "m" }));
  }
  const page = await openPage(t, service);
  await signIn(page, ann);
  let open;
  const gate = new Promise((resolve) => { open = resolve; });
  await page.route("**/approve", async (route) => {
    await gate;
    await route.continue();
  });
  await keys.open(page);
  await until(page, () => page.evaluate("Boolean(ahead?.page)"), "that the next draft is there");
  await keys.approve(page);
  await page.waitForURL(`**/review/${ids[0]}`); // the older one, before there is an answer
  await keys.approve(page);
  open();
  await page.waitForURL((url) => url.pathname === "/review");
  for (const id of ids) {
    assert.equal((await service.world.stored("email_drafts", id)).approved_by, "ann");
  }
});
