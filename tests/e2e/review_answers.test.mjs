// The review pages where a post is not answered as it should be: what was posted is not posted again,
// and what was written is not lost.

import assert from "node:assert/strict";
import { test } from "node:test";
import { openPage, signIn, until } from "./lib/browser.mjs";
import { bearer } from "./lib/identity.mjs";
import { approveButton, startReviewed, write } from "./lib/review.mjs";

const TEXT = "What took an hour to write.";

// A reviewer at a path of the newest of some drafts; ids, the newest first.
async function desk(t, path, subjects = ["Letter"]) {
  const { service, keys } = await startReviewed(t);
  const ids = [];
  for (const subject of subjects) {
    ids.unshift(await write(service, keys, { to: "a@example.com", subject, message: "m" }));
  }
  const page = await openPage(t, service);
  await signIn(page, keys.ann, `/review/${ids[0]}${path}`);
  const posts = [];
  page.on("request", (request) => {
    if (request.method() === "POST") posts.push(new URL(request.url()).pathname.split("/").at(-1));
  });
  return { service, keys, ids, page, posts };
}

const message = (page) => page.locator("[name=message]");
const notice = (page, text) => page.locator("#notice", { hasText: text }).waitFor();

// Until it is seen in the preview, too: nothing is under way then.
async function type(page) {
  await message(page).fill(TEXT);
  await page.frameLocator(".frame iframe:not(.coming)").getByText(TEXT).waitFor();
}

const save = (page) => page.locator("#edit button.primary").click();

async function assertKept(page, id) {
  assert.equal(new URL(page.url()).pathname, `/review/${id}/edit`);
  assert.equal(await message(page).inputValue(), TEXT);
  assert.equal(await page.evaluate("dirty"), true);
}

async function assertSaved({ service, page, ids: [id] }) {
  await save(page);
  await notice(page, "Saved");
  assert.equal((await service.world.stored("email_drafts", id)).body, TEXT);
}

test("whose session is over signs in elsewhere, and saves then", async (t) => {
  const { page, keys, ids, ...rest } = await desk(t, "/edit");
  await type(page);
  await page.context().clearCookies();
  await save(page);
  await notice(page, "session is over");
  await assertKept(page, ids[0]);
  const [tab] = await Promise.all([page.waitForEvent("popup"), page.locator("#notice a").click()]);
  await tab.locator("#key").fill(keys.ann);
  await tab.locator("form button").click();
  await tab.waitForURL("**/review");
  await assertSaved({ page, ids, ...rest });
});

test("a save that the service does not hear can be said again", async (t) => {
  const { page, ids, ...rest } = await desk(t, "/edit");
  await type(page);
  await page.context().setOffline(true);
  await save(page);
  await notice(page, "No answer");
  await assertKept(page, ids[0]);
  await page.context().setOffline(false);
  await assertSaved({ page, ids, ...rest });
});

test("a save that is refused leaves the text unsaved", async (t) => {
  const { page, ids } = await desk(t, "/edit");
  await type(page);
  await page.locator("#to").fill("nobody at all");
  await save(page);
  await page.locator("#wrong").waitFor();
  await page.locator("#to").press("Escape");
  await assertKept(page, ids[0]);
});

test("a page of whoever stands in front leaves the text where it is", async (t) => {
  const { page, ids, ...rest } = await desk(t, "/edit");
  await type(page);
  await page.route("**/edit", (route) => route.fulfill({ contentType: "text/html", body: "<p>?" }));
  await save(page);
  await notice(page, "did not work");
  await assertKept(page, ids[0]);
  await page.unrouteAll();
  await assertSaved({ page, ids, ...rest });
});

test("a form for another session leaves the text where it is", async (t) => {
  const { page, keys, ids } = await desk(t, "/edit");
  await type(page);
  const tab = await page.context().newPage();
  await signIn(tab, keys.bob);
  await save(page);
  await notice(page, "belongs to another session");
  await assertKept(page, ids[0]);
});

async function sendTest(page) {
  await page.locator("summary[aria-keyshortcuts=T]").click();
  await page.locator("#test-to").fill("me@example.com");
  await page.locator("form[action$='/test'] button").click();
}

test("what was done, and its answer lost, is not done again", async (t) => {
  const { service, page, posts } = await desk(t, "");
  await page.route("**/test", async (route) => {
    await route.fetch({ maxRedirects: 0 });
    await route.abort("connectionreset");
  });
  await sendTest(page);
  await notice(page, "No answer");
  assert.deepEqual(posts, ["test"]);
  assert.equal((await service.mails()).length, 1);
});

test("an answer of another version of the pages is shown, and nothing done again", async (t) => {
  const { service, page, posts } = await desk(t, "");
  await page.evaluate(() => { document.querySelector("script[src]").setAttribute("src", "old"); });
  await sendTest(page);
  await notice(page, "A test is on its way");
  assert.notEqual(await page.locator("script[src]").getAttribute("src"), "old");
  assert.deepEqual(posts, ["test"]);
  assert.equal((await service.mails()).length, 1);
});

test("a late refusal does not take what is being written on the next page", async (t) => {
  const { service, keys, page, ids, posts } = await desk(t, "", ["Next", "Changed"]);
  await until(page, () => page.evaluate("Boolean(ahead?.page)"), "that the next draft is there");
  let open;
  const gate = new Promise((resolve) => { open = resolve; });
  await page.route("**/approve", async (route) => {
    await gate;
    await route.continue();
  });
  await service.patch(`/drafts/${ids[0]}`, { subject: "Another" }, bearer(keys.bob));
  await approveButton(page).click();
  await page.waitForURL(`**/review/${ids[1]}`);
  await page.keyboard.press("e");
  await page.waitForURL("**/edit");
  await type(page);
  open();
  await notice(page, "did not work");
  await assertKept(page, ids[1]);
  const link = page.locator("#notice a");
  assert.equal(await link.getAttribute("href"), `${service.url}/review/${ids[0]}`);
  assert.match(await link.innerText(), /^Changed/);
  assert.deepEqual(posts.filter((name) => name === "approve"), ["approve"]);
});

test("the reason of a rejection that nobody answers is still there", async (t) => {
  const { page, ids } = await desk(t, "", ["Next", "Letter"]);
  await until(page, () => page.evaluate("Boolean(ahead?.page)"), "that the next draft is there");
  await page.route("**/reject", (route) => route.abort("connectionreset"));
  await page.keyboard.press("r");
  await page.locator("#reason").fill(TEXT);
  await page.keyboard.press("Enter");
  await notice(page, "No answer came");
  assert.equal(new URL(page.url()).pathname, `/review/${ids[0]}`);
  assert.equal(await page.locator("#reason").inputValue(), TEXT);
  assert.notEqual(await page.locator("#notice .error").evaluate((one) =>
    getComputedStyle(one).backgroundColor), await page.evaluate(() => {
    const good = document.querySelector("#notice").appendChild(document.createElement("div"));
    good.className = "notice";
    return getComputedStyle(good).backgroundColor;
  }), "it looks like a success");
});

test("what came of a selection is shown to whoever types meanwhile", async (t) => {
  const { service, keys, page, ids } = await desk(t, "", ["One", "Two"]);
  await page.goto(`${service.url}/review`);
  let open;
  const gate = new Promise((resolve) => { open = resolve; });
  await page.route("**/bulk", async (route) => {
    await gate;
    await route.continue();
  });
  for (const box of await page.locator("[name=draft]").all()) await box.check();
  await service.patch(`/drafts/${ids[0]}`, { subject: "Another" }, bearer(keys.bob));
  const asked = page.waitForRequest("**/bulk");
  await page.keyboard.press("a");
  await asked;
  await page.locator("[type=search]").pressSequentially("x");
  open();
  await page.getByText("It has changed").waitFor();
});
