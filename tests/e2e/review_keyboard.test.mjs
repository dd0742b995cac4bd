// The review pages without a mouse: ten drafts, by keys alone.

import { test } from "node:test";
import { reviewTen } from "./lib/review.mjs";

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
  approve: (page) => press(page, "a"),
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
