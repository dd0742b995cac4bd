// gcloud.json against the real gcloud, where it is installed: what it has of commands and flags, and
// what comes of the formats in which deploy/cloudrun asks. It needs no network and no account.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile, realpath, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import YAML from "yaml";
import { inherited, temporary } from "../e2e/lib/service.mjs";
import { Cloud, ROOT } from "./cloudrun.mjs";
import { grammar, parse } from "./grammar.mjs";

const run = promisify(execFile);

// Where it is, and its own table of commands and flags, from which it completes what is typed.
async function installed() {
  for (const dir of process.env.PATH.split(":")) {
    try {
      const sdk = join(await realpath(join(dir, "gcloud")), "../..");
      const text = await readFile(join(sdk, "data/cli/gcloud_completions.py"), "utf8");
      return { sdk, table: JSON.parse(text.slice(text.indexOf("{"))) };
    } catch (error) {
      if (error.code !== "ENOENT") throw error;
    }
  }
  return {};
}

const { sdk, table } = await installed();
const skip = !table && "gcloud is not installed";

// What gcloud's table calls a flag that takes a value, or none.
const kindOf = (type) => (type === "bool" ? "switch" : "value");

test("every command and flag is one of gcloud's", { skip }, () => {
  for (const [command, { flags }] of Object.entries(grammar.commands)) {
    const found = command.split(" ").reduce((node, word) => node?.commands[word], table);
    assert.ok(found, `gcloud has no '${command}'`);
    for (const [flag, kind] of Object.entries(flags)) {
      const type = found.flags[flag];
      assert.ok(type, `gcloud ${command} has no ${flag}`);
      assert.equal(kind === "switch" ? "switch" : "value", kindOf(type), `${command} ${flag}`);
    }
  }
  for (const flag of grammar.wide) assert.ok(flag in table.flags, flag);
});

test("the formats give what the stand-in gives", { skip }, async (t) => {
  const dir = await temporary(t);
  for (const [resources, args, wanted] of [
    [[{ name: "projects/p/databases/(default)/collectionGroups/email_drafts/indexes/x",
      fields: ["status", "created_at", "__name__"].map((fieldPath) => ({ fieldPath })), state: "READY" }],
    ["--format=value(name.segment(-3),fields.fieldPath.list(),state)"],
    "email_drafts\tstatus,created_at,__name__\tREADY\n"],
    [[{ name: "projects/1/secrets/x/versions/3" }], ["--format=value(name.basename())"], "3\n"],
    [[{ bindings: [{ role: "r", members: ["user:a", "user:b"] }, { role: "s", members: ["user:a"] }] }],
      ["--flatten=bindings[].members", "--format=value(bindings.role,bindings.members)"],
      "r\tuser:a\nr\tuser:b\ns\tuser:a\n"],
  ]) {
    await writeFile(join(dir, "resources.json"), JSON.stringify(resources));
    const asked = run("gcloud", ["meta", "list-from-json", join(dir, "resources.json"), ...args],
      { env: { ...inherited(), CLOUDSDK_CONFIG: dir, CLOUDSDK_CORE_DISABLE_PROMPTS: "1" } });
    assert.equal((await asked).stdout, wanted);
  }
});

// What gcloud would object to in a file that it is given.
async function objections(dir, api, message, value) {
  const child = run("python3", [new URL("messages.py", import.meta.url).pathname],
    { env: { ...inherited(), CLOUDSDK_CONFIG: dir } });
  child.child.stdin.end(JSON.stringify({ sdk, api, version: "v1", message, value }));
  return (await child).stdout;
}

test("gcloud knows every member of the files that it is given", { skip }, async (t) => {
  const cloud = await Cloud.open(t);
  const { code, stderr } = await cloud.run(["up"], { SCRIPTS_BUCKET: "my-policies" });
  assert.equal(code, 0, stderr);
  const dashboard = JSON.parse(await readFile(join(ROOT, "deploy/dashboard.json"), "utf8"));
  assert.equal(await objections(cloud.dir, "monitoring", "Dashboard", dashboard), "");
  for (const { text } of Object.values(cloud.things.services)) {
    const service = YAML.parse(text);
    assert.equal(await objections(cloud.dir, "run", "Service", service), "");
    service.spec.template.spec.conteners = [];
    assert.match(await objections(cloud.dir, "run", "Service", service), /spec\.conteners/);
  }
});

test("what is wrong is refused", () => {
  for (const [line, told] of [
    ["run services destroy x", /Invalid choice/],
    ["run services replace", /arguments/],
    ["run services replace a b", /arguments/],
    ["run services replace a --regoin=x", /unrecognized arguments: --regoin/],
    ["run services replace a --region", /--region and a value/],
    ["services list --enabled=yes", /--enabled and a value/],
    ["firestore databases create", /Missing required argument: --location/],
    ["secrets create a --replication-policy=x --replication-policy=y", /twice/],
  ]) assert.match(parse(line.split(" ")).error, told);
});
