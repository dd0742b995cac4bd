// gcloud.json against the real gcloud, where it is installed: what it has of commands and flags, and
// what comes of the formats in which deploy/cloudrun asks. It needs no network and no account.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { access, readFile, realpath, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { inherited, temporary } from "../e2e/lib/service.mjs";
import { grammar, parse } from "./grammar.mjs";

const run = promisify(execFile);

// Its own table of commands and flags, from which it completes what is typed.
async function installed() {
  for (const dir of process.env.PATH.split(":")) {
    try {
      const program = await realpath(join(dir, "gcloud"));
      const table = join(program, "../../data/cli/gcloud_completions.py");
      await access(table);
      const text = await readFile(table, "utf8");
      return JSON.parse(text.slice(text.indexOf("{")));
    } catch (error) {
      if (error.code !== "ENOENT") throw error;
    }
  }
  return null;
}

const table = await installed();

// What gcloud's table calls a flag that takes a value, or none.
const kindOf = (type) => (type === "bool" ? "switch" : "value");

test("every command and flag is one of gcloud's", { skip: !table && "gcloud is not installed" }, () => {
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

test("the formats give what the stand-in gives", { skip: !table && "gcloud is not installed" }, async (t) => {
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
