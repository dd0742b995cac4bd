// paraph send and Google: what fails there, and what is interrupted there.

import assert from "node:assert/strict";
import { test } from "node:test";
import { settings, standIn } from "./lib/google.mjs";
import { begin, run } from "./lib/service.mjs";

const HELLO = ["send", "--to", "ann@example.com", "--subject", "Hello", "--message", "Hi Ann!"];

test("what Google refuses is exit 1, with the step and the remedy", async (t) => {
  const google = await standIn(t);
  for (const [fault, option, told] of [
    [{ symptom: "iam_permission_denied" }, [],
      /auth_error: .*roles\/iam\.serviceAccountTokenCreator/],
    [{ symptom: "iam_permission_denied" }, ["--dry-run"], /auth_error: .*roles\/iam\./],
    [{ method: "gmail.users.messages.send", status: 400 }, [], /^paraph send: gmail_error: /m],
    [{ method: "firestore.*", symptom: "firestore_permission_denied" }, ["--draft"],
      /firestore_error: .*roles\/datastore\.user/],
  ]) {
    google.faults.clear();
    google.fault({ count: Infinity, ...fault });
    const { code, stdout, stderr } = await run(t, [...HELLO, ...option], settings(google));
    assert.deepEqual([code, stdout], [1, ""], stderr);
    assert.match(stderr, told);
  }
  assert.deepEqual(google.mails(), []);
});

test("a mailbox that cannot be reached at all", async (t) => {
  const google = await standIn(t);
  const env = settings(google);
  await google.stop();
  const { code, stdout, stderr } = await run(t, HELLO, { ...env, REQUEST_TIMEOUT: "5" });
  assert.deepEqual([code, stdout], [1, ""]);
  assert.match(stderr.trimEnd().split("\n").at(-1), /^paraph send: auth_error: /);
});

for (const [signal, exit] of [["SIGINT", 130], ["SIGTERM", 143]]) {
  test(`${signal} ends it at once, and says that it may have left`, async (t) => {
    const google = await standIn(t);
    const hang = google.fault({ method: "gmail.users.messages.send", kind: "hang" });
    const command = await begin(t, HELLO, settings(google));
    await google.until((call) => call.fault === hang);
    command.signal(signal);
    const { code, signal: by } = await command.exited;
    command.examine();
    assert.deepEqual([code, by, command.stdout], [exit, null, ""]);
    assert.match(command.stderr, /^paraph send: cancelled: interrupted; the message may have left/m);
  });
}

test("a dry run that is interrupted has let nothing out", async (t) => {
  const google = await standIn(t);
  const hang = google.fault({ method: "gmail.users.settings.sendAs.list", kind: "hang" });
  const command = await begin(t, [...HELLO, "--dry-run"], settings(google));
  await google.until((call) => call.fault === hang);
  command.signal("SIGINT");
  assert.equal((await command.exited).code, 130);
  command.examine();
  assert.match(command.stderr, /^paraph send: cancelled: interrupted\n$/);
});
