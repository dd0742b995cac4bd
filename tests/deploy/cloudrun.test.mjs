// deploy/cloudrun against the stand-in for gcloud: what it makes, in which order, and what not.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { put, temporary } from "../e2e/lib/service.mjs";
import { changesOf, Cloud, ROOT } from "./cloudrun.mjs";
import { parse } from "./grammar.mjs";

const ACCOUNT = "paraph@my-project.iam.gserviceaccount.com";
const run = promisify(execFile);
const ENTRY = `crm=draft+send:${"a".repeat(64)}`;

const commandsOf = (asked) => changesOf(asked).map(({ command }) => command);

// What is done each time, and makes nothing that is there.
const AGAIN = ["run services replace", "run services replace", "beta services identity create"];

async function up(cloud, env, input) {
  const result = await cloud.run(["up"], env, input);
  assert.equal(result.code, 0, result.stderr);
  return result;
}

test("in a project in which there is nothing, it makes everything", async (t) => {
  const cloud = await Cloud.open(t);
  const { stdout, asked, shown } = await up(cloud);
  const { things, refused } = cloud;
  assert.deepEqual(refused, []);
  assert.deepEqual(Object.keys(things.apis).map((name) => name.split(".")[0]).sort(), ["firestore", "gmail",
    "iamcredentials", "iap", "monitoring", "run", "secretmanager"]);
  const member = `serviceAccount:${ACCOUNT}`;
  assert.deepEqual(things.policies[`accounts ${ACCOUNT}`], [`roles/iam.serviceAccountTokenCreator\t${member}`]);
  assert.deepEqual(things.policies["project my-project"],
    [`roles/datastore.user\t${member}`, `roles/monitoring.metricWriter\t${member}`]);
  assert.deepEqual(Object.keys(things.indexes),
    ["email_drafts\tstatus,created_at,__name__", "email_drafts\twaiting,created_at,__name__"]);
  assert.deepEqual(Object.keys(things.ttls), ["collectionGroups/email_drafts_idempotency/fields/expires_at"]);
  for (const name of ["paraph-api-keys", "paraph-metrics-key"]) {
    assert.deepEqual(things.policies[`secrets ${name}`], [`roles/secretmanager.secretAccessor\t${member}`]);
  }
  assert.deepEqual(Object.keys(things.services), ["paraph-tracker", "paraph-gateway"]); // in this order
  assert.deepEqual(Object.keys(things.dashboards).length, 1);

  // The administrator's part.
  assert.match(stdout, /Client ID {5}108765432109876543210\n {2}OAuth scopes {2}https:\/\/mail\.google\.com\/\n/);
  assert.ok(stdout.includes("build/paraph check --live"));
  // Every change was shown before it was made.
  assert.equal(shown.length, changesOf(asked).length);
});

test("the check that it ends with is of what was deployed", async (t) => {
  const cloud = await Cloud.open(t);
  const given = { FIRESTORE_DATABASE: "mail", DRAFT_COLLECTION: "o'drafts; false", PIXEL_COLLECTION: "opens",
    GMAIL_SCOPES: "https://mail.google.com/ https://x", POLICY_FOUR_EYES: "true" };
  const { stdout } = await up(cloud, given);
  const [command] = stdout.match(/^ {2}GMAIL_USER=[^]* check --live$/m);
  const { stdout: seen } = await run("bash", ["-c", command.replace("build/paraph check --live", "env")],
    { env: { PATH: process.env.PATH } });
  const env = Object.fromEntries(seen.trim().split("\n").map((line) => line.split(/=(.*)/, 2)));
  for (const [name, value] of Object.entries({ ...given, GMAIL_USER: "office@example.com",
    GOOGLE_CLOUD_PROJECT: "my-project", GOOGLE_SERVICE_ACCOUNT_EMAIL: ACCOUNT })) {
    assert.equal(env[name], value);
  }
  const plain = await up(await Cloud.open(t));
  assert.doesNotMatch(plain.stdout, /FIRESTORE_DATABASE|GMAIL_SCOPES/);
});

test("who reaches the services: everybody the tracker, the gateway whom AUTH says", async (t) => {
  const agent = "serviceAccount:service-123456789012@gcp-sa-iap.iam.gserviceaccount.com";
  const invoker = (...members) => members.map((member) => `roles/run.invoker\t${member}`);
  const people = ["user:ann@example.com", "domain:example.org"];
  for (const [auth, allowed, gateway, iap] of [
    ["iap", "ann@example.com, @example.org", invoker(agent), people],
    ["google,iap", "ann@example.com,@example.org", invoker(agent), people],
    ["google", "ann@example.com", invoker("allUsers"), undefined],
    ["iam", "group:mail@example.com,crm@p.iam.gserviceaccount.com",
      invoker("group:mail@example.com", "serviceAccount:crm@p.iam.gserviceaccount.com"), undefined],
  ]) {
    const cloud = await Cloud.open(t);
    await up(cloud, { AUTH: auth, AUTH_ALLOWED: allowed });
    const { policies } = cloud.things;
    assert.deepEqual(policies["services paraph-tracker"], invoker("allUsers"), auth);
    assert.deepEqual(policies["services paraph-gateway"], gateway, auth);
    assert.deepEqual(policies["iap paraph-gateway"],
      iap?.map((member) => `roles/iap.httpsResourceAccessor\t${member}`), auth);
  }
});

test("who may call no more is shut out before the service trusts Google to have asked", async (t) => {
  const cloud = await Cloud.open(t);
  await up(cloud, { AUTH: "google", AUTH_ALLOWED: "ann@example.com" });
  const { asked } = await up(cloud, { AUTH: "iam", AUTH_ALLOWED: "ann@example.com,bob@example.com" });
  const order = changesOf(asked).map(({ command, words, flags }) => `${command} ${flags["--member"] ?? words[0]}`);
  const shut = order.indexOf("run services remove-iam-policy-binding allUsers");
  assert.ok(shut >= 0 && shut < order.indexOf("run services replace build/cloudrun/gateway.yaml"), order.join("\n"));
  const invokers = () => cloud.things.policies["services paraph-gateway"].map((entry) => entry.split("\t")[1]);
  assert.deepEqual(invokers(), ["user:ann@example.com", "user:bob@example.com"]);

  // What cannot be read is not taken for closed.
  for (const command of ["run services list", "run services get-iam-policy"]) {
    cloud.faults = [{ command, times: 1, message: "UNAVAILABLE" }];
    const services = structuredClone(cloud.things.services["paraph-gateway"]);
    // The tracker's policy is asked for first.
    if (command.endsWith("policy")) cloud.faults[0].times = 2;
    assert.equal((await cloud.run(["up"], { AUTH: "iam", LOG_LEVEL: "debug" })).code, 1, command);
    assert.deepEqual(cloud.things.services["paraph-gateway"], services);
  }
  cloud.faults = [];

  await up(cloud, { AUTH: "iap", AUTH_ALLOWED: "ann@example.com,bob@example.com" });
  assert.equal(invokers().length, 1);
  await up(cloud, { AUTH: "iap", AUTH_ALLOWED: "bob@example.com" });
  assert.deepEqual(cloud.things.policies["iap paraph-gateway"], ["roles/iap.httpsResourceAccessor\tuser:bob@example.com"]);
});

test("a second run makes nothing, and describes the services as they are", async (t) => {
  const cloud = await Cloud.open(t);
  await up(cloud);
  const before = structuredClone(cloud.things);
  const { asked } = await up(cloud);
  assert.deepEqual(commandsOf(asked), AGAIN);
  assert.deepEqual(cloud.things, before);
  for (const { revision } of Object.values(before.services)) assert.equal(revision, 1);
});

test("what fails halfway is gone on with where it was", async (t) => {
  const cloud = await Cloud.open(t);
  const whole = commandsOf((await up(await Cloud.open(t))).asked);
  for (const command of ["services enable", "iam service-accounts create", "firestore databases create",
    "secrets versions add", "run services replace", "monitoring dashboards create"]) {
    cloud.faults = [{ command, times: 1, message: "INTERNAL: try again" }];
    const { code, stderr } = await cloud.run(["up"]);
    assert.notEqual(code, 0, command);
    assert.match(stderr, /INTERNAL: try again/);
  }
  await up(cloud);
  const made = commandsOf(cloud.asked);
  // Each was made once: as often as in a run without faults, and once more where it failed. The
  // descriptions alone are applied by every run that comes so far.
  const times = (list, name) => list.filter((command) => command === name).length;
  for (const command of new Set(whole)) {
    if (AGAIN.includes(command)) continue;
    const failed = ["services enable", "iam service-accounts create", "firestore databases create",
      "secrets versions add", "monitoring dashboards create"].includes(command) ? 1 : 0;
    assert.equal(times(made, command), times(whole, command) + failed, command);
  }
  assert.deepEqual(commandsOf((await up(cloud)).asked), AGAIN);
});

test("it waits while Google does not know yet what was just made, but not forever", async (t) => {
  const cloud = await Cloud.open(t, { faults: [
    { command: "iam service-accounts add-iam-policy-binding", times: 3,
      message: `Service account ${ACCOUNT} does not exist.` },
    { command: "run services replace", times: 2, message: "Permission denied on secret: paraph-api-keys" }] });
  const { asked } = await up(cloud);
  const times = (name) => commandsOf(asked).filter((command) => command === name).length;
  assert.deepEqual([times("iam service-accounts add-iam-policy-binding"), times("run services replace")], [4, 4]);

  const never = await Cloud.open(t, { faults: [{ command: "iam service-accounts add-iam-policy-binding",
    times: 99, message: `Service account ${ACCOUNT} does not exist.` }] });
  const result = await never.run(["up"], { SETTLE_TRIES: "3" });
  assert.equal(result.code, 1);
  assert.match(result.stderr, /does not exist/);
  assert.equal(commandsOf(result.asked).filter((command) => command.endsWith("binding")).length, 3);
});

test("--dry-run prints the same commands, and changes nothing", async (t) => {
  const cloud = await Cloud.open(t);
  const dry = await cloud.run(["up", "--dry-run"]);
  assert.equal(dry.code, 0, dry.stderr);
  assert.deepEqual(commandsOf(dry.asked), []);
  const real = await up(cloud);
  assert.deepEqual(dry.shown, real.shown);

  const down = await cloud.run(["down", "--dry-run"]);
  assert.deepEqual(commandsOf(down.asked), []);
  assert.deepEqual(down.shown, (await cloud.run(["down", "--yes"])).shown);
});

test("what it prints can be pasted into a shell", async (t) => {
  const cloud = await Cloud.open(t);
  const { shown } = await cloud.run(["up", "--dry-run"]);
  const script = shown.join("\n").replaceAll(/--data-file=-/g, "--data-file=- <<<secret");
  const pasted = cloud.asked.length;
  await new Promise((resolve, reject) => execFile("bash", ["-ec", script], { cwd: cloud.dir, env: cloud.env },
    // A version of a secret that does not exist is named in the descriptions until they are made anew.
    (error, stdout, stderr) => error && !/paraph-\S+\/latest/.test(stderr) ? reject(error) : resolve()));
  const asked = cloud.asked.slice(pasted);
  const real = changesOf((await up(await Cloud.open(t))).asked);
  assert.ok(asked.length >= 15);
  assert.deepEqual(asked.map(parse), real.slice(0, asked.length));
});

test("down removes what up made, but not the drafts, unless it is told to", async (t) => {
  const cloud = await Cloud.open(t);
  await up(cloud, { IMAGE: "" });
  const refused = await cloud.run(["down"], {}, "no\n");
  assert.equal(refused.code, 1);
  assert.deepEqual(commandsOf(refused.asked), []);

  const { code, stdout, stderr } = await cloud.run(["down"], {}, "yes\n");
  assert.equal(code, 0, stderr);
  const { things } = cloud;
  for (const kind of ["services", "secrets", "accounts", "dashboards", "repositories"]) {
    assert.deepEqual(things[kind], {}, kind);
  }
  assert.deepEqual(things.policies["project my-project"], []);
  assert.deepEqual(Object.keys(things.databases), ["(default)"]);
  assert.equal(Object.keys(things.indexes).length, 2);
  assert.match(stdout, /Left:\n- the Firestore database \(default\) with drafts/);
  assert.deepEqual(commandsOf((await cloud.run(["down", "--yes"])).asked), []);

  assert.equal((await cloud.run(["down", "--yes", "--delete-firestore"])).code, 0);
  assert.deepEqual(cloud.things.databases, {});
});

test("the image is built once for each state of the tree, and not at all if it is given", async (t) => {
  const cloud = await Cloud.open(t);
  const git = (...args) => run("git", ["-c", "user.name=Ann", "-c", "user.email=ann@example.com", ...args],
    { cwd: cloud.dir });
  await writeFile(join(cloud.dir, ".gitignore"), "bin\nbuild\n");
  for (const args of [["init", "-q"], ["add", "."], ["commit", "-qm", "All"]]) await git(...args);
  const builds = ({ asked }) => changesOf(asked).filter(({ command }) => command === "builds submit");

  const [build] = builds(await up(cloud, { IMAGE: "" }));
  const tag = build.flags["--tag"];
  assert.match(tag, /^europe-west1-docker\.pkg\.dev\/my-project\/paraph\/paraph:[0-9a-f]{12}$/);
  assert.ok(cloud.things.services["paraph-gateway"].text.includes(`image: '${tag}'`));
  assert.equal(builds(await up(cloud, { IMAGE: "" })).length, 0);

  await writeFile(join(cloud.dir, ".gitignore"), "bin\nbuild\nmore\n");
  const [changed] = builds(await up(cloud, { IMAGE: "" }));
  assert.match(changed.flags["--tag"], /:[0-9a-f]{12}-dirty-\d{14}$/);
  assert.equal(builds(await up(cloud)).length, 0);
});

// gcloud goes by .gcloudignore, which is read as Git reads .gitignore; other builders by .dockerignore.
test("the build is sent what the image is made of, and nothing that lies beside it", async (t) => {
  const dir = await temporary(t);
  const [first, ...allowed] = (await readFile(join(ROOT, ".dockerignore"), "utf8")).trim().split("\n");
  assert.equal(first, "*");
  const sent = ["Dockerfile"];
  for (const name of allowed.map((line) => line.replace(/^!/, ""))) {
    const directory = (await stat(join(ROOT, name))).isDirectory();
    sent.push(...directory ? [`${name}/one`, `${name}/below/another`] : [name]);
  }
  for (const name of [...sent, "crm.key", "entries", ".env", "data/paraph.db", "deploy/whsec", "my/LICENSE",
    "build/core/one"]) await put(dir, name, "");
  await run("git", ["init", "-q"], { cwd: dir });
  const { stdout } = await run("git", ["ls-files", "--others", `--exclude-from=${join(ROOT, ".gcloudignore")}`],
    { cwd: dir });
  assert.deepEqual(stdout.trim().split("\n").sort(), sent.sort());
});

// --- secrets -------------------------------------------------------------------------------------

test("a secret is in no argument and no output, and the collector's key opens /metrics", async (t) => {
  const cloud = await Cloud.open(t);
  await writeFile(join(cloud.dir, "whsec"), "whsec_c2VjcmV0IHNlY3JldCBzZWNyZXQh");
  const results = [
    await up(cloud, { API_KEYS_FILE: "-", WEBHOOK_URL: "https://crm.example/hook", WEBHOOK_SECRET_FILE: "whsec" },
      `${ENTRY}\n`),
    await up(cloud, { WEBHOOK_URL: "https://crm.example/hook" })];
  const { secrets } = cloud.things;
  const [key] = secrets["paraph-metrics-key"];
  assert.match(key, /^paraph_[\w-]{43}$/);
  const hash = createHash("sha256").update(key).digest("hex");
  assert.deepEqual(secrets["paraph-api-keys"], [`metrics=ops:${hash}\n${ENTRY}`]);
  assert.deepEqual(secrets["paraph-webhook-secret"], ["whsec_c2VjcmV0IHNlY3JldCBzZWNyZXQh"]);
  const seen = JSON.stringify(cloud.asked) + JSON.stringify(results) +
    await readFile(join(cloud.dir, "build/cloudrun/gateway.yaml"), "utf8");
  for (const secret of [key, hash, "a".repeat(64), "whsec_c2"]) assert.ok(!seen.includes(secret), secret);
});

test("new keys are a new version, which the services are deployed with", async (t) => {
  const cloud = await Cloud.open(t);
  await up(cloud, { AUTH: "key", API_KEYS_FILE: "-" }, ENTRY);
  const { asked } = await up(cloud, { AUTH: "key", API_KEYS_FILE: "-" }, `${ENTRY}\nann=review:${"b".repeat(64)}`);
  assert.deepEqual(commandsOf(asked), ["secrets versions add", "run services replace", "run services replace"]);
  const { services, secrets } = cloud.things;
  assert.equal(secrets["paraph-api-keys"].length, 2);
  assert.match(services["paraph-gateway"].text, /name: paraph-api-keys\n\s+key: '2'/);
  assert.equal(services["paraph-gateway"].revision, 2);
});

test("a key among the lines of API_KEYS is refused, and not told", async (t) => {
  const cloud = await Cloud.open(t);
  const key = `paraph_${"x".repeat(43)}`;
  const { code, stdout, stderr } = await cloud.run(["up"], { API_KEYS_FILE: "-" }, `${key}\n${ENTRY}\n`);
  assert.equal(code, 2);
  assert.match(stderr, /API_KEYS_FILE: a line is not name=role\+role:sha256-hex/);
  assert.ok(!(stdout + stderr).includes(key));
  assert.ok(!JSON.stringify(cloud.things).includes("xxx"));
});

// --- what is wrong -------------------------------------------------------------------------------

test("what is missing or wrong is told at once, with exit 2, before anything is asked", async (t) => {
  const cloud = await Cloud.open(t);
  for (const [env, ...told] of [
    [{ PROJECT: "", GMAIL_USER: "", AUTH_ALLOWED: "" }, "PROJECT: is not set", "GMAIL_USER: is not set",
      "AUTH_ALLOWED: is not set"],
    [{ AUTH: "none", REGION: "Europe", ALWAYS_ON: "maybe", DOMAIN: "https://x" }, "AUTH: 'none' is not one or more",
      "REGION: 'Europe' is not a region", "ALWAYS_ON: 'maybe' is not true", "DOMAIN: 'https://x' is not a domain"],
    [{ AUTH: "google", AUTH_ALLOWED: "group:x@example.com" }, "AUTH_ALLOWED: for google"],
    [{ API_KEYS_FILE: "nowhere", WEBHOOK_URL: "https://x/${y}" }, "API_KEYS_FILE: 'nowhere' cannot be read",
      "WEBHOOK_URL: holds a '$'"],
  ]) {
    const { code, stderr, asked } = await cloud.run(["up"], env);
    assert.equal(code, 2, stderr);
    for (const line of told) assert.ok(stderr.includes(line), `${line}: ${stderr}`);
    assert.deepEqual(asked, []);
  }
  for (const command of ["up", "down", "status"]) {
    const { code, stdout, stderr, asked } = await cloud.run([command], { PROJECT: "" });
    assert.deepEqual([code, stdout, asked], [2, "", []], command);
    assert.equal(stderr, "PROJECT: is not set: give the id of a Google Cloud project\n");
  }
  for (const args of [["sideways"], ["up", "--force"]]) {
    const { code, stderr } = await cloud.run(args);
    assert.equal(code, 2);
    assert.match(stderr, /there is no (command|option) '/);
  }
});

test("without a key nobody could call, and a webhook without a secret is none", async (t) => {
  const cloud = await Cloud.open(t);
  for (const [env, told] of [[{ AUTH: "key" }, /API_KEYS_FILE is not set, and AUTH is key/],
    [{ WEBHOOK_URL: "https://crm.example/" }, /WEBHOOK_SECRET_FILE is not set/],
    [{ PROJECT: "other-project" }, /there is no project other-project/]]) {
    const { code, stderr } = await cloud.run(["up"], env);
    assert.equal(code, 1);
    assert.match(stderr, told);
  }
});

test("status says what is there", async (t) => {
  const cloud = await Cloud.open(t);
  assert.match((await cloud.run(["status"])).stdout, /paraph-gateway: missing\nparaph-tracker: missing\n/);
  await up(cloud);
  assert.match((await cloud.run(["status"])).stdout, /paraph-gateway: https:\/\/.*\nparaph-tracker: https:\/\//);
});
