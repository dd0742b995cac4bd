// Pictures of every page, for the documentation: node tests/e2e/screenshots.mjs DIR

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { openPage, signIn } from "./lib/browser.mjs";
import { fillDesk } from "./lib/desk.mjs";
import { bearer } from "./lib/identity.mjs";
import { startReviewed } from "./lib/review.mjs";

const SIZES = { 360: { width: 360, height: 740 }, 1440: { width: 1440, height: 800 } };

// What tells most below its fold, and is not long.
const WHOLE = new Set(["sent"]);

// Each change must be another one.
const DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday"].values();

const dir = process.argv[2];
if (!dir) {
  console.error("usage: node tests/e2e/screenshots.mjs DIR");
  process.exit(2);
}

// { name: what leads there }. Those that change drafts come last.
const pagesOf = ({ ids, service, keys }) => ({
  list: (page) => page.goto("/review"),
  held: (page) => page.goto("/review?tab=held"),
  search: (page) => page.goto("/review?q=Angebot"),
  draft: (page) => page.goto(`/review/${ids.quote}`),
  html: (page) => page.goto(`/review/${ids.news}`),
  failed: (page) => page.goto(`/review/${ids.failed}`),
  sent: (page) => page.goto(`/review/${ids.sent}`),
  edit: (page) => page.goto(`/review/${ids.quote}/edit`),
  figures: (page) => page.goto("/review/stats"),
  async help(page) {
    await page.goto("/review");
    await page.keyboard.press("?");
    await page.locator("#help[open]").waitFor();
  },
  async reject(page) {
    await page.goto(`/review/${ids.thanks}`);
    await page.locator("summary[aria-keyshortcuts=R]").click();
  },
  async changed(page) {
    await page.goto(`/review/${ids.reminder}`);
    const message = `Dear Sir or Madam,\n\nour invoice 2026-0931 was paid on ${DAYS.next().value}. ` +
      "Thank you.\n\nKind regards";
    await service.patch(`/drafts/${ids.reminder}`, { message }, bearer(keys.bob));
    await page.locator("form[action$='/approve'] button").click();
    await page.locator(".changed").waitFor();
  },
  async changes(page) {
    await page.goto(`/review/${ids.reminder}/changes`);
  },
  async approved(page) {
    await page.goto(`/review/${ids.order}`);
    await page.locator("form[action$='/approve'] button").click();
    await page.locator("#notice form").waitFor();
  },
  async undone(page) { // and ready for the next picture of the kind
    await page.locator("#notice form button").click();
    await page.locator("#notice form").waitFor({ state: "detached" });
  },
  "signing-in": async (page) => {
    await page.context().clearCookies();
    await page.goto("/sign-in");
  },
});

async function take(page, name, scheme, width) {
  await page.mouse.move(0, 0);
  for (const frame of page.frames()) await frame.waitForLoadState("load");
  await page.screenshot({ path: join(dir, `${name}-${scheme}-${width}.png`), fullPage: WHOLE.has(name) });
}

async function shoot(t, there, scheme, width) {
  const page = await openPage(t, there.service, { scheme, ...SIZES[width] });
  await signIn(page, there.keys.ann);
  for (const [name, go] of Object.entries(pagesOf(there))) {
    await go(page);
    await take(page, name, scheme, width);
  }
  const french = await openPage(t, there.service, { scheme, lang: "fr", ...SIZES[width] });
  await signIn(french, there.keys.ann);
  await take(french, "french", scheme, width);
}

const ends = [];
const t = { after: (end) => ends.push(end) };
try {
  await mkdir(dir, { recursive: true });
  const there = await startReviewed(t);
  there.ids = await fillDesk(there.service, bearer(there.keys.crm));
  for (const scheme of ["light", "dark"]) {
    for (const width of Object.keys(SIZES)) await shoot(t, there, scheme, width);
  }
} finally {
  for (const end of ends.reverse()) await end();
}
