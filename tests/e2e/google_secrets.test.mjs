// Nothing secret reaches the log, at its most talkative, whatever happens.

import assert from "node:assert/strict";
import { test } from "node:test";
import { startOnGoogle } from "./lib/google.mjs";

const BODY = "The-wording-of-this-letter-is-nobody-elses-business";
const ATTACHED = Buffer.from("Nor-is-what-is-attached-to-it").toString("base64");

// Everything that went over the wire and must not be told.
function secretsOf(google) {
  const found = new Set([BODY, Buffer.from(BODY).toString("base64url"), ATTACHED]);
  for (const { headers, method, body } of google.log) {
    const bearer = /^Bearer (\S+)$/.exec(headers.authorization ?? "")?.[1];
    if (bearer) found.add(bearer);
    if (method === "oauth2.token") {
      const assertion = new URLSearchParams(body.toString("latin1")).get("assertion");
      found.add(assertion);
      for (const part of assertion.split(".")) found.add(part);
    }
  }
  return found;
}

test("a debug log of a whole run tells none of them", async (t) => {
  const { google, service } = await startOnGoogle(t, { LOG_LEVEL: "debug" });
  const message = { to: "ann@example.com", subject: "s", message: BODY,
    attachments: [{ filename: "a.txt", content: ATTACHED }] };

  const id = await service.draft(message);
  await service.get(`/drafts/${id}/message`);
  await service.post(`/drafts/${id}/test`, { to: "me@example.com" });
  await service.post("/send-draft", { draft_id: id });
  await service.post("/", { ...message, mode: "send" });
  for (const fault of [
    { method: "gmail.*", status: 500 }, { method: "gmail.*", symptom: "gmail_auth_error" },
    { method: "gmail.*", kind: "cut", when: "after" }, { method: "gmail.*", kind: "truncate" },
    { method: "firestore.*", symptom: "firestore_permission_denied", count: 1 },
    { method: "gmail.*", symptom: "gmail_insufficient_permissions", count: 1 },
  ]) {
    google.fault(fault);
    await service.post("/", { ...message, mode: "send" });
    google.faults.clear();
  }
  google.tokens.revoke();
  google.fault({ method: "oauth2.token", symptom: "invalid_jwt_signature" });
  await service.post("/", { ...message, mode: "send" });
  await service.stop();

  const secrets = secretsOf(google);
  assert.ok(secrets.size > 5, "there were no secrets to look for");
  for (const secret of secrets) {
    const at = service.stderr.indexOf(secret);
    assert.equal(at, -1, `in the log: ${service.stderr.slice(at - 200, at + 20)}…`);
  }

  // and yet it tells what happened
  const steps = new Set(service.log.map((e) => e.step ?? e.message));
  for (const method of ["signJwt", "token exchange", "messages.send", "commit"]) {
    assert.ok([...steps].some((step) => step.includes(method)), `nothing about ${method}: ` +
      [...steps].join(", "));
  }
});
