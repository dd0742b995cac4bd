// The review pages by mouse: ten drafts, by clicking at what there is to see.

import assert from "node:assert/strict";
import { test } from "node:test";
import { openPage, signIn, until } from "./lib/browser.mjs";
import { bearer } from "./lib/identity.mjs";
import { approveButton, clicks, reviewTen, startReviewed, write } from "./lib/review.mjs";

test("ten drafts by mouse", (t) => reviewTen(t, clicks));

// A page of the newest of two drafts, with the next at hand, where no time goes by from here on.
// Approvals wait at a gate; they are noted in posts.
async function stopped(t) {
  const { service, keys } = await startReviewed(t);
  const ids = [];
  for (const subject of ["unread", "read"]) {
    ids.push(await write(service, keys, { to: "a@example.com", subject, message: "m" }));
  }
  const page = await openPage(t, service, { touch: true });
  await page.clock.install();
  await signIn(page, keys.ann, `/review/${ids[1]}`);
  await until(page, () => page.evaluate("Boolean(ahead?.page)"), "that the next draft is there");
  await page.clock.pauseAt(Date.now() + 20_000);
  const posts = [];
  let open;
  const gate = new Promise((resolve) => { open = resolve; });
  await page.route("**/approve", async (route) => {
    posts.push(new URL(route.request().url()).pathname);
    await gate;
    await route.continue();
  });
  return { service, keys, ids, page, posts, open };
}

async function middle(page) {
  const { x, y, width, height } = await approveButton(page).boundingBox();
  return [x + width / 2, y + height / 2];
}

// What approves a draft: as it is found, and then at once again.
const hands = {
  async click(page) {
    const at = await middle(page);
    return () => page.mouse.click(...at);
  },
  async tap(page) {
    const at = await middle(page);
    return () => page.touchscreen.tap(...at);
  },
  key: (page) => () => page.keyboard.press("a"),
};

for (const [name, hand] of Object.entries(hands)) {
  test(`half of a double ${name} approves nothing that nobody has read`, async (t) => {
    const { service, ids, page, posts, open } = await stopped(t);
    const act = await hand(page);
    await act();
    await page.waitForURL(`**/review/${ids[0]}`);
    await act();
    open();
    await page.locator("#notice", { hasText: "Approved: “read”" }).waitFor();
    assert.deepEqual(posts, [`/review/${ids[1]}/approve`]);
    await page.clock.runFor(1000);
    await (await hand(page))();
    await page.locator("#notice", { hasText: "Approved: “unread”" }).waitFor();
    assert.equal((await service.world.stored("email_drafts", ids[0])).approved_by, "ann");
  });
}

test("a page that comes by itself is not approved by what was meant for another", async (t) => {
  const { service, keys, ids, page, posts, open } = await stopped(t);
  await service.patch(`/drafts/${ids[1]}`, { message: "Changed." }, bearer(keys.bob));
  const act = hands.key(page);
  await act();
  await page.waitForURL(`**/review/${ids[0]}`);
  await page.clock.runFor(1000);
  open();
  await page.locator(".changed").waitFor();
  await act();
  await page.clock.runFor(1000);
  await approveButton(page).waitFor();
  assert.deepEqual(posts, [`/review/${ids[1]}/approve`]);
});
