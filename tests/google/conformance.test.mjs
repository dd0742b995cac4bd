// The scenes of conformance.mjs, played by the stand-in; and with FIRESTORE_EMULATOR_HOST, as
// emulated.mjs sets it, also by Google's own emulator, which must answer the same.

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { call, serviceToken } from "./client.mjs";
import { comparable, ROOT, scenes, Stage } from "./conformance.mjs";
import { startGoogle } from "./server.mjs";

const google = await startGoogle();
after(() => google.stop());

const emulator = process.env.FIRESTORE_EMULATOR_HOST && `http://${process.env.FIRESTORE_EMULATOR_HOST}`;
if (emulator) await call(`${emulator}/emulator/v1/${ROOT}`, { method: "DELETE", token: "owner" });

for (const [name, scene] of Object.entries(scenes)) {
  test(name, async (t) => {
    const started = Date.now();
    const ours = new Stage(google.env().FIRESTORE_URL, await serviceToken(google));
    await scene(ours);
    if (!emulator) return t.diagnostic("not compared: FIRESTORE_EMULATOR_HOST is not set");
    const theirs = new Stage(emulator, "owner");
    await scene(theirs);
    const [mine, judge] = [ours, theirs].map((one) => comparable(one.transcript, started));
    judge.forEach((answer, i) => assert.deepEqual(mine[i], answer));
    assert.equal(mine.length, judge.length);
  });
}
