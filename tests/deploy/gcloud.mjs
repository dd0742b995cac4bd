// In place of gcloud: a project of Google Cloud, which takes down what it is asked, refuses what
// gcloud.json does not have, and knows what needs what. Its answers are in the one --format in which
// deploy/cloudrun asks for them. What is first in PATH is a script that hands its arguments over.

import { readFileSync } from "node:fs";
import { chmod, writeFile } from "node:fs/promises";
import net from "node:net";
import { join, resolve } from "node:path";
import { parse } from "./grammar.mjs";

// The number of arguments, these, the directory and what is piped into it, each ended by a NUL; back
// come the exit code on a line of its own, and what is printed.
const SCRIPT = `#!/bin/bash
input=
case " $* " in *" --data-file=- "*) IFS= read -rd '' input ;; esac
exec 3<>"/dev/tcp/127.0.0.1/$GCLOUD_PORT"
printf '%s\\0' $# "$@" "$PWD" "$input" >&3
read -r code <&3
[ "$code" = 0 ] || exec >&2
cat <&3
exit "$code"
`;

class Failure extends Error {}

function fail(message) {
  throw new Failure(`ERROR: (gcloud) ${message}\n`);
}

const first = ({ words }) => words[0];
const database = ({ flags }) => flags["--database"];

// Without its API, none of these is there.
const APIS = { "firestore": "firestore", "secrets": "secretmanager", "run": "run",
  "artifacts": "artifactregistry", "builds": "cloudbuild", "monitoring": "monitoring", "beta iap": "iap" };

export class Project {
  name = "my-project";
  number = "123456789012";
  things = {}; // what is there, by kind and name
  asked = []; // lists of arguments
  refused = []; // what is no command of gcloud's
  faults = []; // { command, times, message }: what fails, how often

  kind(name) {
    return (this.things[name] ??= {});
  }

  thing(what, name) {
    return this.kind(what)[name] ?? fail(`NOT_FOUND: ${what} ${name} was not found`);
  }

  make(what, name, value = {}) {
    if (name in this.kind(what)) fail(`ALREADY_EXISTS: ${what} ${name}`);
    this.kind(what)[name] = value;
  }

  remove(what, name) {
    this.thing(what, name);
    delete this.kind(what)[name];
  }

  // describe, create and delete of one kind.
  thingsOf(what, name) {
    return {
      describe: (call) => void this.thing(what, name(call)),
      create: (call) => this.make(what, name(call)),
      delete: (call) => this.remove(what, name(call)),
    };
  }

  // The policies of one kind of things: lists of lines, each a role and a member.
  policiesOf(what, name = (call) => this.thing(what, first(call)) && first(call)) {
    const policy = (call) => (this.kind("policies")[`${what} ${name(call)}`] ??= []);
    const entry = ({ flags }) => `${flags["--role"]}\t${flags["--member"]}`;
    return {
      "get-iam-policy": policy,
      "add-iam-policy-binding": (call) => {
        const [, account] = call.flags["--member"].match(/^serviceAccount:(paraph@.*)$/) ?? [];
        if (account && !(account in this.kind("accounts"))) {
          fail(`Service account ${account} does not exist.`);
        }
        if (!policy(call).includes(entry(call))) policy(call).push(entry(call));
      },
      "remove-iam-policy-binding": (call) => {
        const entries = policy(call);
        entries.splice(0, entries.length, ...entries.filter((line) => line !== entry(call)));
      },
    };
  }

  // Cloud Run: what a description refers to must be there.
  replace({ words: [file], directory }) {
    const text = readFileSync(resolve(directory, file), "utf8");
    const [, name] = text.match(/^metadata:\n {2}name: (\S+)$/m);
    const [, account] = text.match(/serviceAccountName: '(.*)'/);
    this.thing("accounts", account);
    for (const [, secret, version] of text.matchAll(/secretKeyRef:\s+name: (\S+)\s+key: '(.*)'/g)) {
      if (this.thing("secrets", secret)[version - 1] === undefined) fail(`NOT_FOUND: ${secret}/${version}`);
      const readers = this.things.policies[`secrets ${secret}`] ?? [];
      if (!readers.includes(`roles/secretmanager.secretAccessor\tserviceAccount:${account}`)) {
        fail(`Permission denied on secret: ${secret} for Revision service account ${account}.`);
      }
    }
    const service = (this.kind("services")[name] ??= { revision: 0 });
    if (service.text !== text) Object.assign(service, { text, revision: service.revision + 1 });
  }

  commands = {
    "projects": {
      describe: ({ words: [name] }) => name === this.name ? [this.number]
        : fail(`PERMISSION_DENIED: project ${name}, or it does not exist`),
      ...this.policiesOf("project", first),
    },
    "services": {
      list: () => Object.keys(this.kind("apis")),
      enable: ({ words }) => words.forEach((name) => { this.kind("apis")[name] = {}; }),
    },
    "beta services identity": { create: ({ flags }) => { this.kind("agents")[flags["--service"]] = {}; } },
    "iam service-accounts": {
      ...this.thingsOf("accounts", ({ words: [name] }) =>
        name.includes("@") ? name : `${name}@${this.name}.iam.gserviceaccount.com`),
      describe: (call) => this.thing("accounts", first(call)) && ["108765432109876543210"],
      ...this.policiesOf("accounts"),
    },
    "firestore databases": this.thingsOf("databases", database),
    "firestore indexes composite": {
      list: (call) => this.thing("databases", database(call)) && Object.keys(this.kind("indexes")),
      create: (call) => {
        this.thing("databases", database(call));
        const fields = call.flags["--field-config"].map((config) => config.match(/field-path=(\w+)/)[1]);
        this.make("indexes", `${call.flags["--collection-group"]}\t${fields.join(",")},__name__`);
      },
    },
    "firestore fields ttls": {
      list: ({ flags }) => Object.keys(this.kind("ttls"))
        .filter((name) => name.includes(`/${flags["--collection-group"]}/`)),
      update: (call) => {
        this.thing("databases", database(call));
        this.kind("ttls")[`collectionGroups/${call.flags["--collection-group"]}/fields/${first(call)}`] = {};
      },
    },
    // A secret is the list of its versions.
    "secrets": {
      ...this.thingsOf("secrets", first),
      create: (call) => this.make("secrets", first(call), []),
      ...this.policiesOf("secrets"),
    },
    "secrets versions": {
      add: (call) => void this.thing("secrets", first(call)).push(call.input),
      access: ({ flags }) => this.thing("secrets", flags["--secret"]).at(-1) ?? fail("NOT_FOUND: no version"),
      describe: ({ flags }) => [this.thing("secrets", flags["--secret"]).length || fail("NOT_FOUND")],
    },
    "artifacts repositories": this.thingsOf("repositories", first),
    "artifacts docker images": { describe: (call) => void this.thing("images", first(call)) },
    "builds": { submit: ({ flags }) => { this.kind("images")[flags["--tag"]] = {}; } },
    "run services": {
      ...this.thingsOf("services", first),
      list: () => Object.keys(this.kind("services")),
      replace: (call) => this.replace(call),
      describe: (call) => this.thing("services", first(call)) &&
        [`https://${first(call)}-${this.number}.example.run.app\t${first(call)}-00001-abc`],
      "update-traffic": (call) => void this.thing("services", first(call)),
      ...this.policiesOf("services"),
    },
    "run revisions": { list: ({ flags }) => this.thing("services", flags["--service"]) && ["a-00001-abc"] },
    // What only the documentation asks for: that it is asked rightly is all there is to see.
    "auth": { login: () => [] },
    "auth application-default": { "login": () => [], "set-quota-project": () => [] },
    "alpha monitoring policies": { migrate: ({ flags, directory }) =>
      void readFileSync(resolve(directory, flags["--policies-from-prometheus-alert-rules-yaml"])) },
    "beta run domain-mappings": { create: ({ flags }) => void this.thing("services", flags["--service"]) },
    "logging": { read: () => [] },
    "storage": { rsync: () => [] },
    "storage buckets": { ...this.policiesOf("buckets", first), create: () => [] },
    "beta iap web": this.policiesOf("iap",
      ({ flags }) => this.thing("services", flags["--service"]) && flags["--service"]),
    "monitoring dashboards": {
      list: () => Object.keys(this.kind("dashboards")),
      create: ({ flags, directory }) => {
        JSON.parse(readFileSync(resolve(directory, flags["--config-from-file"]), "utf8"));
        this.make("dashboards", "projects/1/dashboards/paraph");
      },
      delete: (call) => this.remove("dashboards", first(call)),
    },
  };

  #demand(command) {
    for (const [start, api] of Object.entries(APIS)) {
      if (command.startsWith(`${start} `) && !(`${api}.googleapis.com` in this.kind("apis"))) {
        fail(`SERVICE_DISABLED: ${api}.googleapis.com has not been used in project ${this.number}`);
      }
    }
    const planned = this.faults.find((entry) => entry.command === command && entry.times > 0);
    if (!planned) return;
    planned.times--;
    fail(planned.message);
  }

  // What is printed; a list is lines.
  answer(argv, directory, input) {
    this.asked.push(argv);
    const call = parse(argv);
    if (call.error) {
      this.refused.push(call.error);
      fail(call.error);
    }
    this.#demand(call.command);
    const [, group, verb] = call.command.match(/^(.*) (\S+)$/);
    const answer = this.commands[group]?.[verb];
    if (!answer) fail(`the stand-in cannot ${call.command}`);
    const printed = answer({ ...call, directory, input });
    return Array.isArray(printed) ? printed.map((line) => `${line}\n`).join("") : printed ?? "";
  }

  #serve(socket) {
    let text = "";
    socket.on("error", () => {}); // who asked may be gone
    socket.setEncoding("utf8").on("data", (more) => {
      text += more;
      const [n, ...rest] = text.split("\0");
      if (rest.length < Number(n) + 3) return;
      const argv = rest.slice(0, n);
      try {
        socket.end(`0\n${this.answer(argv, rest[n], rest[Number(n) + 1])}`);
      } catch (error) {
        if (!(error instanceof Failure)) this.refused.push(error.stack);
        socket.end(`1\n${error.message}`);
      }
    });
  }

  // Puts a `gcloud` into the directory; what has to be in the environment of who calls it.
  async listen(t, directory) {
    const server = net.createServer((socket) => this.#serve(socket));
    await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
    t.after(() => server.close());
    await writeFile(join(directory, "gcloud"), SCRIPT);
    await chmod(join(directory, "gcloud"), 0o755);
    return { GCLOUD_PORT: String(server.address().port), PATH: `${directory}:${process.env.PATH}` };
  }
}
