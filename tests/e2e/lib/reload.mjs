// Edits of scripts and templates while the service runs, and what its log says of them.

import assert from "node:assert/strict";
import { rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { put } from "./service.mjs";

export const WATCHED = { RELOAD_INTERVAL: "1" };
export const letter = { to: "ann@example.com", subject: "Hello", message: "Hi Ann!", mode: "send" };

// A review policy with this body; its first line is line 3 of the file.
const policy = (body) =>
  `local review = {}\nfunction review.decide(letter)\n${body}\nend\nreturn review`;
export const holds = (why) => policy(`return "hold", "${why}"`);
export const REVIEW = "policy/review.lua";

export async function held(service) {
  const reply = await service.post("/", letter);
  assert.equal(reply.status, 200, reply.text);
  return reply.json.held;
}

// As a careful editor writes: never is half of it under that name.
export async function replace(dir, name, text) {
  const beside = join(dir, `.${name.replaceAll("/", "-")}`);
  await put(dir, name.replace(/[^/]+$/, ".keep"), "");
  await writeFile(beside, text);
  await rename(beside, join(dir, name));
}

// The next event like that, after what `change` does.
export async function after(service, change, accept, what) {
  const seen = service.log.length;
  await change();
  return service.event((e) => accept(e) && service.log.indexOf(e) >= seen, what);
}

export const isReload = (e) => /reload/.test(e.message);
export const hangUp = (service) =>
  after(service, () => service.signal("SIGHUP"), isReload, "reload");

// What becomes of an edit that nobody announces.
export const edit = (service, change) => after(service, change, isReload, "an edit");

export async function live(service, change) {
  const event = await edit(service, change);
  assert.equal(event.message, "scripts reloaded", JSON.stringify(event));
  return event;
}

export async function refused(service, change) {
  const event = await edit(service, change);
  assert.match(event.message, /^reload refused/);
  assert.equal(event.severity, "ERROR");
  return event;
}

export const refusals = (service) => service.log.filter((e) => /^reload refused/.test(e.message));

// So many more looks; LOG_LEVEL=debug tells them.
export async function looks(service, count) {
  const isLook = (e) => e.message === "scripts looked at";
  for (let i = 0; i < count; i++) await after(service, () => {}, isLook, "a look");
}
