// Every page can be used by everybody: axe-core finds nothing, in the light and in the dark, on a
// phone and on a desk, and nothing of a page is beyond its edge.

import assert from "node:assert/strict";
import { test } from "node:test";
import { openPage, signIn, violations } from "./lib/browser.mjs";
import { fillDesk } from "./lib/desk.mjs";
import { bearer } from "./lib/identity.mjs";
import { startReviewed, write } from "./lib/review.mjs";

const WIDTHS = [360, 1440];
const COLOURS = ["color-contrast", "link-in-text-block"]; // all that the dark changes

async function audit(page, name) {
  for (const width of WIDTHS) {
    await page.setViewportSize({ width, height: 900 });
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme });
      const found = await violations(page, colorScheme === "dark" ? COLOURS : undefined);
      assert.deepEqual(found, [], `${name}, ${colorScheme}, ${width} px`);
    }
    const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(over <= 0, `${name}: ${over} px wider than ${width} px`);
  }
}

// A page, signed in, on a service with a desk full of drafts.
async function desk(t) {
  const { service, keys } = await startReviewed(t);
  const ids = await fillDesk(service, bearer(keys.crm));
  const page = await openPage(t, service);
  await signIn(page, keys.ann);
  return { service, keys, ids, page };
}

test("the lists", async (t) => {
  const { page } = await desk(t);
  for (const [name, path] of Object.entries({
    pending: "/review", held: "/review?tab=held", failed: "/review?tab=failed",
    "nothing there": "/review?tab=sending", sent: "/review?tab=sent",
    rejected: "/review?tab=rejected", "a search": "/review?q=Angebot",
    "a search in vain": "/review?q=zebra",
  })) {
    await page.goto(path);
    await audit(page, name);
  }
});

test("drafts in every state", async (t) => {
  const { page, ids } = await desk(t);
  for (const name of ["quote", "news", "many", "held", "failed", "sent", "rejected"]) {
    await page.goto(`/review/${ids[name]}`);
    await audit(page, name);
  }
});

test("what is long", async (t) => {
  const { page, service, keys } = await desk(t);
  const id = await write(service, keys, {
    to: `reader@${"d".repeat(60)}.${"d".repeat(60)}.example`, subject: "S".repeat(900),
    format: "html", message: `<a href="https://${"l".repeat(60)}.example/${"p".repeat(300)}">Go</a>`,
    attachments: [{ filename: `${"f".repeat(200)}.pdf`, content: "" }],
  });
  await page.goto(`/review/${id}`);
  await audit(page, "a draft with long names");
  await page.goto("/review");
  await audit(page, "a list with a long subject");
  const lines = await page.locator(`[id="${id}"]`).evaluate((link) =>
    link.getBoundingClientRect().height / parseFloat(getComputedStyle(link).lineHeight));
  assert.ok(lines < 3.5, `a subject of ${lines} lines`);
});

test("a plot begins with what is newest", async (t) => {
  const { page } = await desk(t);
  await page.setViewportSize({ width: 360, height: 740 });
  await page.goto("/review/stats");
  const hidden = await page.locator(".plot .scroll").first().evaluate((box) =>
    box.querySelector("svg").getBoundingClientRect().right - box.getBoundingClientRect().right);
  assert.ok(hidden < 1, `${hidden} px of it`);
});

test("what came of many is all to be seen", async (t) => {
  const { page, service, keys } = await desk(t);
  for (const subject of [...Array(12).keys(), "S".repeat(900)]) {
    await write(service, keys, { to: "ann@example.com", subject: `${subject}`, message: "Hi" });
  }
  await page.goto("/review");
  await page.locator("#all").check();
  await page.locator(".bulk button[value=approve]").click();
  const results = page.locator(".results .scroll");
  await results.waitFor();
  const hidden = await results.evaluate((box) =>
    [box.scrollHeight - box.clientHeight, box.scrollWidth - box.clientWidth]);
  assert.deepEqual(hidden, [0, 0]);
});

test("what can be done with a draft", async (t) => {
  const { page, ids, service, keys } = await desk(t);
  const quote = `/review/${ids.quote}`;
  await page.goto(quote);
  for (const key of ["R", "T"]) {
    await page.locator(`summary[aria-keyshortcuts=${key}]`).click();
    await audit(page, `the panel of ${key}`);
  }
  await page.goto(quote);
  await page.keyboard.press("?");
  await page.locator("#help[open]").waitFor();
  await audit(page, "help");
  await page.goto(`${quote}/edit`);
  await audit(page, "the form");
  await page.locator("[name=to]").fill("nobody at all");
  await page.locator("#edit button.primary").click();
  await page.locator("[aria-invalid=true]").waitFor();
  await audit(page, "the form with what is wrong");
  await page.locator("[name=to]").fill("somebody@example.com");
  await page.locator("#edit button.primary").click();
  await page.locator("#notice", { hasText: "Saved" }).waitFor();
  await service.patch(`/drafts/${ids.quote}`, { message: "Another text." }, bearer(keys.bob));
  await page.locator("form[action$='/approve'] button").click();
  await page.locator(".changed").waitFor();
  await audit(page, "a draft that somebody else has changed");
  await page.goto(`${quote}/changes`);
  await audit(page, "what was changed");
  await page.locator("a[href='/review']").first().click();
  await page.locator("[name=draft]").first().check();
  await page.locator("[name=draft]").nth(1).check();
  await page.locator(".bulk button[value=approve]").click();
  await page.locator("main table").waitFor();
  await audit(page, "what came of several");
  await page.goto(`/review?said=approved&of=${ids.thanks}`);
  await audit(page, "a notice");
});

test("figures, errors, signing in", async (t) => {
  const { page, service } = await desk(t);
  for (const days of [7, 30]) {
    await page.goto(`/review/stats?days=${days}`);
    await audit(page, `figures of ${days} days`);
  }
  await page.goto("/review/00000000-0000-4000-8000-000000000000");
  await audit(page, "an error");
  const stranger = await openPage(t, service, { lang: "fr" });
  await stranger.goto("/sign-in");
  await audit(stranger, "signing in");
  await stranger.locator("#key").fill("nonsense");
  await stranger.locator("form button").click();
  await stranger.locator("#wrong").waitFor();
  await audit(stranger, "a key that is wrong");
});
