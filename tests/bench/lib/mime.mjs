// How fast core/mime.c makes messages, in MB of finished message a second; what it makes is read back
// by a parser that is not ours.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { simpleParser } from "mailparser";
import { BUILT, run, SERVER, workDir } from "./programs.mjs";

const MIME = `${BUILT}/mime`;

// The attachment and the texts are what was put in.
async function assertRead(file, content) {
  const { stdout } = await run(MIME, [file], { encoding: "buffer", maxBuffer: 1 << 28 });
  const mail = await simpleParser(stdout);
  assert.equal(mail.subject, "Hello from the bench");
  assert.match(mail.text, /^Hi Ann!\n\nA few lines of text/);
  assert.match(mail.html, /^<p>Hi Ann!<\/p>.*Bob<\/p>/);
  assert.equal(mail.attachments.length, 1);
  assert.ok(mail.attachments[0].content.equals(content), "the attachment is not what was put in");
  return stdout.length;
}

export async function mime({ size, seconds }) {
  const file = join(workDir, "attachment"), content = randomBytes(size);
  await writeFile(file, content);
  const length = await assertRead(file, content);
  const { stdout } = await run("taskset", ["-c", SERVER, MIME, file, String(seconds)]);
  const said = JSON.parse(stdout);
  assert.equal(said.message, length);
  return [{ value: said.mime / 1e6, unit: "MB/s",
    peers: { "bare base64": said.base64 / 1e6, memcpy: said.memcpy / 1e6 } }];
}
