// A disk that takes nothing more: refused with a sentence, and what was acknowledged stays.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { assertRefused, atEnd, run as runParaph, start, temporary } from "./lib/service.mjs";

const run = promisify(execFile);
const BIG = "x".repeat(100000);

// Drafts until one is refused; the ids of those that were not.
async function fill(service) {
  const ids = [];
  for (let i = 0; i < 2000; i++) {
    const json = { to: "ann@example.com", subject: `Number ${i}`, message: BIG, mode: "draft" };
    const reply = await service.post("/", json);
    if (reply.status !== 200) return { ids, reply };
    ids.push(reply.json.draft_id);
  }
  throw new Error("the disk is never full");
}

async function assertKept(service, ids) {
  for (const id of ids) assert.equal((await service.document(id)).body, BIG);
}

// Root gets a small disk of its own; anybody else a limit on the size of files, which fails alike.
async function smallDisk(t) {
  const dir = await temporary(t);
  if (process.getuid() === 0) {
    const mounted = await run("mount", ["-t", "tmpfs", "-o", "size=8m", "tmpfs", dir])
      .then(() => true, () => false);
    if (mounted) {
      atEnd(t, () => run("umount", ["-l", dir]));
      return { dir, wrap: [], how: "a tmpfs of 8 MiB" };
    }
  }
  // SIGXFSZ is ignored, so that the write fails as on a full disk.
  const limit = "trap '' XFSZ; ulimit -f 8192; exec \"$@\"";
  return { dir, wrap: ["bash", "-c", limit, "bash"], how: "ulimit -f" };
}

test("a full disk", async (t) => {
  const { dir, wrap, how } = await smallDisk(t);
  console.log(how);
  const DATA_DIR = join(dir, "data");
  const service = await start(t, { DATA_DIR }, { wrap });
  const { ids, reply } = await fill(service);
  assert.ok([500, 503].includes(reply.status), reply.text);
  assertRefused(reply, reply.status, "store_error");
  assert.ok(ids.length > 5, "refused before it was full");
  assert.equal((await service.get("/health")).status, 200);
  await assertKept(service, ids);

  // Nothing can be sent either, and nothing is half sent.
  const sent = await service.post("/send-draft", { draft_id: ids[0] });
  if (sent.status !== 200) assertRefused(sent, sent.status, "store_error");
  await service.stop();

  const again = await start(t, { DATA_DIR });
  await assertKept(again, ids);
});

test("a full disk that gets room again", async (t) => {
  const { dir, wrap } = await smallDisk(t);
  const ballast = join(dir, "ballast");
  await writeFile(ballast, Buffer.alloc(3 << 20));
  const service = await start(t, { DATA_DIR: join(dir, "data") }, { wrap });
  const { ids } = await fill(service);
  await rm(ballast);
  if (wrap.length === 0) ids.push(await service.draft({ message: BIG }));
  await assertKept(service, ids);
});

// What not even root can write to; false if there is no way to make it so.
async function makeReadOnly(t, dir) {
  if (process.getuid() !== 0) {
    await run("chmod", ["-R", "a-w", dir]);
    atEnd(t, () => run("chmod", ["-R", "u+w", dir]));
    return true;
  }
  if (!await run("mount", ["--bind", dir, dir]).then(() => true, () => false)) return false;
  atEnd(t, () => run("umount", ["-l", dir]));
  await run("mount", ["-o", "remount,ro,bind", dir]);
  return true;
}

test("a database that is removed takes nothing more, until there is a new one", async (t) => {
  const DATA_DIR = join(await temporary(t), "data");
  const service = await start(t, { DATA_DIR });
  await service.draft();
  for (const end of ["", "-wal", "-shm"]) await rm(join(DATA_DIR, `paraph.db${end}`));
  const letter = { to: "ann@example.com", subject: "s", message: "m", mode: "draft" };
  const reply = await service.post("/", letter);
  assertRefused(reply, reply.status, "store_error");
  assert.match(reply.text, /was removed or replaced; restart/);
  await service.stop();
  const next = await start(t, { DATA_DIR });
  const id = await next.draft();
  assert.deepEqual((await next.get("/drafts")).json.drafts.map((draft) => draft.draft_id), [id]);
});

test("a DATA_DIR that cannot be written: exit 1 and a sentence", async (t) => {
  const DATA_DIR = join(await temporary(t), "data");
  const service = await start(t, { DATA_DIR });
  await service.draft();
  await service.stop();
  if (!await makeReadOnly(t, DATA_DIR)) return t.skip("root, but not allowed to mount");
  const { code, stderr } = await runParaph(t, ["serve"], { DATA_DIR });
  assert.equal(code, 1, stderr);
  assert.ok(stderr.includes(DATA_DIR), stderr);
  assert.match(stderr, /read-only|permission|writ/i);
});
