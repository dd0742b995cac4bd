// docs/deploy.md, done as it says, in a project of the stand-in for gcloud, and with the stand-in for
// Google's APIs for what the program itself asks.

import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { follow, Reader } from "../e2e/lib/document.mjs";
import { INDEXES, standIn } from "../e2e/lib/google.mjs";
import { Cloud } from "./cloudrun.mjs";

const ACCOUNT = "paraph@my-project.iam.gserviceaccount.com";

// Who has gcloud, and a laptop that is signed in.
class Operator extends Reader {
  constructor(t, cloud, env) {
    super(t, cloud.dir);
    this.variables = Object.entries({ ...cloud.env, SETTLE_SECONDS: "0", ...env })
      .map(([name, value]) => `export ${name}='${value}'\n`).join("");
  }

  script(body) {
    return this.variables + super.script(body);
  }
}

async function laptop(t, dir) {
  const google = await standIn(t, { project: "my-project", serviceAccount: ACCOUNT, indexes: INDEXES,
    tokenCreators: [ACCOUNT, "dev@example.com"],
    mailboxes: { "office@example.com": { name: "Office", signature: "<p>Office</p>" } } });
  const file = join(dir, "application_default_credentials.json");
  await writeFile(file, JSON.stringify(google.adc()));
  const { GCE_METADATA_HOST: _, ...env } = google.env();
  return { ...env, GOOGLE_APPLICATION_CREDENTIALS: file, BACKEND: "google" };
}

test("docs/deploy.md", async (t) => {
  const cloud = await Cloud.open(t);
  await follow("docs/deploy.md", new Operator(t, cloud, await laptop(t, cloud.dir)));
  assert.deepEqual(cloud.refused, []);
  for (const kind of ["services", "secrets", "accounts", "repositories"]) {
    assert.deepEqual(cloud.things[kind], {}, kind);
  }
  assert.deepEqual(Object.keys(cloud.things.databases), ["(default)"]);
});
