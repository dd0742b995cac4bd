// GET /pixel: an image whatever happens, and a count of what was sent; on each backend.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { start } from "./lib/backends.mjs";
import { file, patientPixel } from "./lib/service.mjs";

const service = await start(file, { SCRIPTS_DIR: await patientPixel(file) });
const letter = { to: "ann@example.com", subject: "Hello", message: "Hi", mode: "send" };

// The contract has no request for a pixel's document; it is read where it is stored.
const document = (id, { world } = service) => world.stored("email_opens", id);

function assertImage(reply) {
  assert.equal(reply.status, 200);
  assert.equal(reply.headers.get("content-type"), "image/gif");
  assert.match(reply.headers.get("cache-control"), /no-store/);
}

// 1 by 1, GIF, with a trailer: enough for a browser to draw it.
function assertGif(bytes) {
  assert.match(bytes.subarray(0, 6).toString("latin1"), /^GIF8[79]a$/);
  assert.equal(bytes.readUInt16LE(6), 1);
  assert.equal(bytes.readUInt16LE(8), 1);
  assert.equal(bytes.at(-1), 0x3b);
}

test("opens are counted, HEAD is not", async () => {
  const { json: { pixel_id: id } } = await service.post("/", letter);
  const fresh = await document(id);
  assert.equal(fresh.open_count, 0);
  assert.equal(fresh.to, "ann@example.com");
  assert.equal(fresh.subject, "Hello");
  assert.ok(fresh.created_at);
  assert.ok(!fresh.first_opened_at && !fresh.last_opened_at);

  for (let i = 0; i < 3; i++) {
    const reply = await service.get(`/pixel?id=${id}`);
    assertImage(reply);
    assertGif(reply.bytes);
    assertImage(await service.head(`/pixel?id=${id}`));
  }
  const opened = await document(id);
  assert.equal(opened.open_count, 3);
  assert.ok(opened.first_opened_at < opened.last_opened_at);
});

test("opens at once are all counted", async () => {
  const { json: { pixel_id: id } } = await service.post("/", letter);
  await Promise.all(Array.from({ length: 50 }, () => service.get(`/pixel?id=${id}`)));
  assert.equal((await document(id)).open_count, 50);
});

test("the pixel of a draft names the draft, from the sending on", async () => {
  const id = await service.draft();
  const { json: { pixel_id: pixelId } } = await service.post("/send-draft", { draft_id: id });
  assert.equal((await document(pixelId)).draft_id, id);
  assert.equal((await document(pixelId)).open_count, 0);
});

test("an unknown pixel is an image all the same, and makes no document", async () => {
  const unknown = randomUUID();
  for (const query of ["", "?id=", "?id=nonsense", `?id=${unknown}`, "?id=%00", "?id=%27;--",
    "?id=a&id=b", `?id=${"x".repeat(3000)}`, "?x=y", "?id=%zz", "?id=%ff", "?%", "?%e2%82=%"]) {
    const reply = await service.get(`/pixel${query}`);
    assertImage(reply);
    assertGif(reply.bytes);
  }
  assert.equal(await document(unknown), undefined);
});

test("the base of the pixel can be another host", async (t) => {
  const other = await start(t, { PIXEL_TRACKER_BASE_URL: "https://t.example.org/x/" });
  const id = await other.draft();
  const { text } = await other.get(`/drafts/${id}/message`);
  assert.match(text.replace(/=\r\n/g, "").replace(/=3D/g, "="),
    /src="https:\/\/t\.example\.org\/x\/pixel\?id=[0-9a-f-]{36}"/);
});

test("a tracker serves the pixel and health alone", async (t) => {
  const gateway = await start(t, { ROLE: "gateway" });
  const { json: { pixel_id: id } } = await gateway.post("/", letter);
  assert.equal((await gateway.get(`/pixel?id=${id}`)).status, 404);
  assert.equal((await gateway.get("/health")).status, 200);

  const tracker = await start(t, { ROLE: "tracker" }, { at: gateway.world });
  assertImage(await tracker.get(`/pixel?id=${id}`));
  assert.equal((await document(id, gateway)).open_count, 1);
  assert.equal((await tracker.get("/health")).status, 200);
  assert.equal((await tracker.get("/ready")).status, 200);
  for (const path of ["/drafts", `/drafts/${id}`, "/drafts/x/message"]) {
    assert.equal((await tracker.get(path)).status, 404, path);
  }
  assert.equal((await tracker.post("/", letter)).status, 404);
  assert.equal((await tracker.post("/send-draft", { draft_id: id })).status, 404);
});
