// deploy/cloudrun, run where gcloud is the stand-in (gcloud.mjs).

import { execFile } from "node:child_process";
import { mkdir, symlink } from "node:fs/promises";
import { join } from "node:path";
import { inherited, temporary } from "../e2e/lib/service.mjs";
import { Project } from "./gcloud.mjs";
import { parse } from "./grammar.mjs";

export const ROOT = new URL("../../", import.meta.url).pathname;

// What every run has; a test may take away with "" and add.
const CONFIGURED = {
  PROJECT: "my-project", GMAIL_USER: "office@example.com", AUTH_ALLOWED: "ann@example.com,@example.org",
  IMAGE: "registry.example/paraph:1", SETTLE_SECONDS: "0",
};

const READS = /^(get-iam-policy|describe|list|access)$/;

// Those of the lists of arguments that change something, parsed.
export const changesOf = (asked) =>
  asked.map(parse).filter(({ command }) => !READS.test(command.match(/\S+$/)[0]));

// A project, and a tree of its own, in which deploy/ is that of the checkout.
export class Cloud extends Project {
  static async open(t, members = {}) {
    const cloud = Object.assign(new Cloud(), members);
    cloud.dir = await temporary(t);
    await mkdir(join(cloud.dir, "bin"));
    await symlink(join(ROOT, "deploy"), join(cloud.dir, "deploy"));
    cloud.env = { ...inherited(), ...await cloud.listen(t, join(cloud.dir, "bin")) };
    return cloud;
  }

  // { code, stdout, stderr, asked, shown }: what gcloud was asked, and the commands that were shown.
  async run(args, env = {}, input = "") {
    const before = this.asked.length;
    const result = await new Promise((resolve) => {
      const child = execFile("deploy/cloudrun", args,
        { cwd: this.dir, env: { ...this.env, ...CONFIGURED, ...env } },
        (error, stdout, stderr) => resolve({ code: error?.code ?? 0, stdout, stderr }));
      child.stdin.on("error", () => {}); // not everything is read
      child.stdin.end(input);
    });
    const shown = result.stdout.split("\n").filter((line) => line.startsWith("gcloud "));
    return { ...result, shown, asked: this.asked.slice(before) };
  }
}
