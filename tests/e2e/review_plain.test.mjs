// The review pages without our script: ten drafts, by links and forms alone.

import assert from "node:assert/strict";
import { test } from "node:test";
import { openPage, signIn } from "./lib/browser.mjs";
import { clicks, reviewTen, startReviewed, write } from "./lib/review.mjs";

test("ten drafts where JavaScript is off", (t) => reviewTen(t, clicks, { scripts: false }));

test("whose session is over signs in elsewhere, and sends the form again", async (t) => {
  const { service, keys } = await startReviewed(t);
  const id = await write(service, keys, { to: "a@example.com", subject: "s", message: "m" });
  const page = await openPage(t, service, { scripts: false });
  await signIn(page, keys.ann, `/review/${id}/edit`);
  await page.locator("[name=message]").fill("Written.");
  await page.context().clearCookies();
  await page.locator("#edit button.primary").click();
  const [tab] = await Promise.all([page.waitForEvent("popup"), page.locator("main a").click()]);
  await tab.locator("#key").fill(keys.ann);
  await tab.locator("form button").click();
  await tab.waitForURL("**/review");
  await page.reload();
  await page.locator("#notice", { hasText: "Saved" }).waitFor();
  assert.equal((await service.world.stored("email_drafts", id)).body, "Written.");
});
