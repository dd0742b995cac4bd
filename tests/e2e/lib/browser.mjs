// Chromium, as people have it on their desk or in their pocket: pages that tell what they complain
// of. CHROMIUM names the program; else it is the one in PATH that draws nothing on a screen and takes
// half the time, or the whole of it.

import assert from "node:assert/strict";
import { access, constants } from "node:fs/promises";
import { delimiter, join } from "node:path";
import axe from "axe-core";
import { chromium } from "playwright-core";
import { secret } from "./disclosure.mjs";
import { atEnd } from "./service.mjs";

const WAIT_MS = 30000; // for what is to be seen; a machine may be slow

// A message of a letter's frame: no script runs there, not even what the test itself would run.
const NO_SCRIPTS = /^Blocked script execution in '[^']*' because the document's frame is sandboxed/;
// A page may have any status, however it is asked for; what it is made of is looked at as an answer,
// what is asked elsewhere as a request.
const NOT_LOADED = /^Failed to load resource:/;

async function find() {
  if (process.env.CHROMIUM) return process.env.CHROMIUM;
  for (const name of ["chromium-headless-shell", "chromium"]) {
    for (const dir of (process.env.PATH ?? "").split(delimiter)) {
      const path = join(dir, name);
      if (await access(path, constants.X_OK).then(() => true, () => false)) return path;
    }
  }
  throw new Error("there is no chromium in PATH; install it, or name it in CHROMIUM");
}

// Nothing but this machine can be reached: a page that asks elsewhere fails, and is seen.
const ARGS = ["--no-sandbox", "--disable-dev-shm-usage",
  "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"];

const launched = new WeakMap();

// One browser for a test, or for all that shares its context.
function browser(t) {
  if (!launched.has(t)) {
    const launch = async () => chromium.launch({ executablePath: await find(), args: ARGS });
    launched.set(t, launch());
    atEnd(t, async () => (await launched.get(t)).close());
  }
  return launched.get(t);
}

// In the page: what violates its policy is said aloud, wherever it stands.
function tellViolations() {
  document.addEventListener("securitypolicyviolation", (event) => {
    console.error(`policy: ${event.violatedDirective} refuses ${event.blockedURI}`);
  });
}

// What a page is not to do, as sentences. `accept(text, url)`: that is to be expected, of a message
// in the console.
class Complaints {
  list = [];
  #origin;
  #accept;

  constructor(origin, accept = () => false) {
    this.#origin = origin;
    this.#accept = accept;
  }

  #console(message) {
    const text = message.text(), { url } = message.location();
    if (message.type() !== "error" && !/violates|refuse/i.test(text)) return;
    if (NO_SCRIPTS.test(text) || NOT_LOADED.test(text) || this.#accept(text, url)) return;
    this.list.push(`the console of ${url}: ${text}`);
  }

  #elsewhere(url) {
    return !url.startsWith(`${this.#origin}/`) && !/^(about|data|blob):/.test(url);
  }

  #request(request) {
    if (!this.#elsewhere(request.url())) return;
    // What the page's policy has stopped is asked of nobody, and in the console.
    if (request.failure()?.errorText === "csp") return;
    // Images of a letter, which a person wants to see.
    if (request.resourceType() === "image" && /\?images=1$/.test(request.frame().url())) return;
    this.list.push(`${request.frame().url()} asks for ${request.url()}`);
  }

  watch(context) {
    context.on("console", (message) => this.#console(message));
    context.on("weberror", (error) => this.list.push(`a script fails: ${error.error().stack}`));
    context.on("requestfinished", (request) => this.#request(request));
    context.on("requestfailed", (request) => this.#request(request));
    context.on("response", (response) => {
      const request = response.request();
      if (response.status() < 400 || /^(document|fetch)$/.test(request.resourceType())) return;
      this.list.push(`${request.url()} is answered with ${response.status()}`);
    });
    context.on("dialog", async (dialog) => {
      this.list.push(`a ${dialog.type()} says: ${dialog.message()}`);
      await dialog.dismiss();
    });
  }
}

// A page of a browser of its own: no cookies, no history. It fails the test at its end if it has
// complained. `width`, `height`, `scheme` ("light" or "dark"), `lang`, `scripts` (false: JavaScript
// is off), `touch` (it can be tapped), `accept` as of Complaints.
export async function openPage(t, service, options = {}) {
  const { width = 1280, height = 900, scheme = "light", lang = "en", scripts = true } = options;
  const context = await (await browser(t)).newContext({
    baseURL: service.url, viewport: { width, height }, colorScheme: scheme,
    reducedMotion: "reduce", locale: lang, javaScriptEnabled: scripts,
    hasTouch: options.touch,
  });
  context.setDefaultTimeout(WAIT_MS);
  const complaints = new Complaints(service.url, options.accept);
  complaints.watch(context);
  await context.addInitScript(tellViolations);
  const page = await context.newPage();
  page.complaints = complaints.list;
  atEnd(t, async () => {
    await context.close();
    assert.deepEqual(complaints.list, []);
  });
  return page;
}

// Sign in with a key, and go on at a path.
export async function signIn(page, key, path = "/review") {
  await page.goto(`/sign-in?next=${encodeURIComponent(path)}`);
  await page.locator("input[name=key]").fill(key);
  await page.locator("form button").first().click();
  await page.waitForURL((url) => url.pathname === path);
  for (const { value } of await page.context().cookies()) secret(value);
}

// What axe-core finds in a page as it stands, as sentences; `rules`: only by these. The letter in the
// frame is not ours.
export async function violations(page, rules) {
  if (!await page.evaluate(() => "axe" in globalThis)) await page.evaluate(axe.source);
  const found = await page.evaluate((only) => globalThis.axe.run(document, {
    iframes: false, resultTypes: ["violations"], ...(only && { runOnly: only }),
  }), rules);
  return found.violations.flatMap(({ id, help, nodes }) => nodes.map((node) =>
    `${id} (${help}): ${node.target.join(" ")}\n${node.failureSummary}`));
}

// Wait until something is so: `look` gives it, or something false until then.
export async function until(page, look, what) {
  const end = Date.now() + WAIT_MS;
  for (;;) {
    const seen = await look();
    if (seen) return seen;
    if (Date.now() > end) throw new Error(`waited in vain: ${what}`);
    await page.waitForTimeout(100);
  }
}
