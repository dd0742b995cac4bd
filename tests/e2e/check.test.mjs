// `paraph check`: is everything as it must be, and if not, what to do about it.

import assert from "node:assert/strict";
import { access, chmod, mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { check, MAILBOX, settings, standIn } from "./lib/google.mjs";
import { overlay, run, start, temporary } from "./lib/service.mjs";

const ACCOUNT = "paraph@test-project.iam.gserviceaccount.com";
const CHAIN = ["credentials", "account", "signJwt", "token exchange", "profile", "identity",
  "signature", "drafts", "replies", "project"];
const STORE = ["store write", "store read", "store delete", "store listing",
  "store waiting"];
const scope = (name) => `https://www.googleapis.com/auth/${name}`;
const BASIC = `${scope("gmail.compose")} ${scope("gmail.settings.basic")}`;

// What was said of each step: { step: [state, sentence] }.
function steps(stdout) {
  const said = {};
  for (const line of stdout.trimEnd().split("\n")) {
    const found = /^(ok|failed|skipped) +(\S+(?: \S+)*?) {2,}(.*)$/.exec(line);
    if (found) said[found[2]] = [found[1], found[3]];
  }
  return said;
}

function assertStates(said, wanted) {
  const states = Object.fromEntries(Object.entries(said).map(([step, [state]]) => [step, state]));
  assert.deepEqual(states, wanted);
}

const all = (state, names) => Object.fromEntries(names.map((name) => [name, state]));
const STATIC = all("ok", ["settings", "scripts", "access.roles", "access.rate", "review.decide",
  "review.approve", "limits.of", "compose.bodies", "pixel.place", "pixel.html", "opens.classify",
  "access.lua", "routes.lua", "jobs.lua", "settings.lua", "POLICY_FOUR_EYES",
  "POLICY_UNDO_SECONDS"]);

// --- without a network ----------------------------------------------------------------------------

test("check alone touches nothing", async (t) => {
  const DATA_DIR = join(await temporary(t), "data");
  const local = await run(t, ["check"], { DATA_DIR });
  assert.equal(local.code, 0, local.stderr);
  assertStates(steps(local.stdout), STATIC);
  await assert.rejects(access(DATA_DIR));

  const google = await standIn(t);
  const remote = await run(t, ["check"], settings(google));
  assert.equal(remote.code, 0, remote.stderr);
  assert.ok(remote.stdout.includes(MAILBOX));
  assert.deepEqual(google.log, []);
});

test("a wrong setting is exit 2, as for serve", async (t) => {
  const { code, stdout, stderr } = await run(t, ["check", "--live"], { BACKEND: "google" });
  assert.equal(code, 2);
  assert.equal(stdout, "");
  assert.match(stderr, /^GMAIL_USER: is missing/);
  assert.equal((await run(t, ["check", "--life"])).code, 2);
});

test("a broken script or template is exit 1, with file and line", async (t) => {
  const scripts = await overlay(t, { "policy/review.lua": "local review = {}\nreturn review +\n" });
  const script = await run(t, ["check"], { SCRIPTS_DIR: scripts });
  assert.equal(script.code, 1);
  assert.match(steps(script.stdout).scripts.join(" "), /^failed .*policy\/review\.lua:[23]/);
  for (const raising of ["for _ in ipairs(nil) do end", "error({ message = 'no' })"]) {
    const files = { "policy/review.lua": `local review = {}\n${raising}\nreturn review\n` };
    const { stdout } = await run(t, ["check"], { SCRIPTS_DIR: await overlay(t, files) });
    assert.match(steps(stdout).scripts.join(" "), /^failed policy\/review\.lua:2: /);
  }
  const templates = await overlay(t, { "mail/note.mustache": "<p>\n{{#open}}\n</p>\n" });
  const template = await run(t, ["check"], { TEMPLATES_DIR: templates });
  assert.equal(template.code, 1);
  assert.match(steps(template.stdout).scripts.join(" "), /^failed .*mail\/note\.mustache:\d/);
});

// --- the embedded pair ----------------------------------------------------------------------------

test("store and outbox are written to, and left as they were", async (t) => {
  const DATA_DIR = join(await temporary(t), "data");
  for (const NO_SEND of ["false", "true"]) {
    const { code, stdout, stderr } = await run(t, ["check", "--live"], { DATA_DIR, NO_SEND });
    assert.equal(code, 0, stdout + stderr);
    const said = steps(stdout);
    assertStates(said, { ...STATIC, ...all("ok", [...STORE, "outbox"]) });
    assert.equal(/nothing leaves/.test(said.settings[1]), NO_SEND === "true");
    for (const dir of ["tmp", "new", "cur"]) {
      assert.deepEqual(await readdir(join(DATA_DIR, "outbox", dir)), []);
    }
  }
  const service = await start(t, { DATA_DIR });
  assert.deepEqual((await service.get("/drafts")).json.drafts, []);
});

// Root may write anywhere, but for the capability that says so.
const UNPRIVILEGED = { wrap: process.getuid() === 0
  ? ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--"] : [] };

test("a DATA_DIR that cannot be written to", async (t) => {
  const DATA_DIR = await temporary(t);
  await chmod(DATA_DIR, 0o500);
  const { code, stdout } = await run(t, ["check", "--live"], { DATA_DIR }, UNPRIVILEGED);
  assert.equal(code, 1, stdout);
  const said = steps(stdout);
  assertStates(said, { ...STATIC, ...all("failed", ["store write", "outbox"]) });
  for (const step of ["store write", "outbox"]) assert.ok(said[step][1].includes(DATA_DIR), stdout);
});

test("a DATA_DIR that cannot be made", async (t) => {
  const { code, stdout } = await run(t, ["check", "--live"], { DATA_DIR: "/proc/nothing" });
  assert.equal(code, 1, stdout);
  assert.match(steps(stdout).outbox[1], /set DATA_DIR to a directory elsewhere/);
});

test("an outbox that cannot be written to", async (t) => {
  const DATA_DIR = await temporary(t);
  const tmp = join(DATA_DIR, "outbox", "tmp");
  await mkdir(tmp, { recursive: true });
  await chmod(tmp, 0o500);
  const { code, stdout } = await run(t, ["check", "--live"], { DATA_DIR }, UNPRIVILEGED);
  assert.equal(code, 1, stdout);
  assertStates(steps(stdout), { ...STATIC, ...all("ok", STORE), outbox: "failed" });
  assert.match(stdout, /let the user that this service runs as write there/);
});

// --- the chain ------------------------------------------------------------------------------------

test("every link is walked, and nothing is left behind", async (t) => {
  const google = await standIn(t);
  const { code, stdout, stderr } = await check(t, google);
  assert.equal(code, 0, stdout);
  assert.equal(stderr, "");
  const said = steps(stdout);
  assertStates(said, { ...STATIC, ...all("ok", [...CHAIN, ...STORE]) });
  assert.match(said.account[1], new RegExp(ACCOUNT));
  assert.match(said.profile[1], new RegExp(MAILBOX));
  assert.match(said.signature[1], /\d+ bytes/);
  assert.match(said.project[1], /test-project, database \(default\)/);
  assert.deepEqual([...google.firestore.documents.keys()], []);
  assert.equal(google.drafts().length + google.mails().length, 0);
  assert.deepEqual(google.problems, []);
});

test("what narrow scopes cannot do is said", async (t) => {
  const google = await standIn(t);
  const enough = await check(t, google, { GMAIL_SCOPES: BASIC });
  assert.equal(enough.code, 0, enough.stdout);
  assertStates(steps(enough.stdout),
    { ...STATIC, ...all("ok", [...CHAIN, ...STORE]), replies: "skipped" });

  const narrow = await check(t, google, { GMAIL_SCOPES: scope("gmail.send") });
  assert.equal(narrow.code, 0, narrow.stdout);
  const said = steps(narrow.stdout);
  assertStates(said, { ...STATIC, ...all("ok", [...CHAIN, ...STORE]),
    ...all("skipped", ["profile", "identity", "signature", "drafts", "replies"]) });
  assert.match(said.signature[1], /without signature.*gmail\.settings\.basic/);
  assert.match(said.drafts[1], /once only.*gmail\.compose/);
  assert.match(said.replies[1], /gmail\.readonly/);
});

test("the scopes alone tell it, in the same words", async (t) => {
  const google = await standIn(t);
  const limits = ["identity", "signature", "drafts", "replies"];
  for (const [GMAIL_SCOPES, wanted] of [[scope("gmail.send"), limits], [BASIC, ["replies"]],
    [`${BASIC} ${scope("gmail.metadata")}`, ["replies"]], ["https://mail.google.com/", []]]) {
    const plain = steps((await run(t, ["check"], settings(google, { GMAIL_SCOPES }))).stdout);
    const live = steps((await check(t, google, { GMAIL_SCOPES })).stdout);
    assertStates(plain, { ...STATIC, ...all("skipped", wanted) });
    for (const step of wanted) assert.deepEqual(plain[step], live[step]);
  }
  const tracker = settings(google, { GMAIL_SCOPES: scope("gmail.send"), ROLE: "tracker" });
  assertStates(steps((await run(t, ["check"], tracker)).stdout), STATIC);
});

test("a signature that Gmail does not show is said to be missing", async (t) => {
  const google = await standIn(t);
  google.fault({ method: "gmail.users.settings.sendAs.list",
    symptom: "gmail_insufficient_permissions" });
  const { code, stdout } = await check(t, google);
  assert.equal(code, 0, stdout);
  assert.deepEqual([steps(stdout).identity[0], steps(stdout).signature[0]], ["skipped", "skipped"]);
});

test("an address that Gmail would replace", async (t) => {
  const sendAs = [{ sendAsEmail: "other@example.com", isPrimary: true, isDefault: true },
    { sendAsEmail: MAILBOX, verificationStatus: "pending" }];
  const google = await standIn(t, { mailboxes: { [MAILBOX]: { sendAs } } });
  const pending = await check(t, google);
  assert.equal(pending.code, 1, pending.stdout);
  assert.match(steps(pending.stdout).identity.join(" "), /^failed .*is not confirmed.*Send mail as/);
  assert.deepEqual(steps(pending.stdout).drafts[0], "skipped");

  google.configure({ mailboxes: { [MAILBOX]: { sendAs: sendAs.slice(0, 1) } } });
  const absent = await check(t, google);
  assert.match(steps(absent.stdout).identity.join(" "), /^failed .*is no identity/);
});

test("GMAIL_USER that is not the primary address", async (t) => {
  const google = await standIn(t);
  google.fault({ method: "gmail.users.getProfile", status: 200,
    body: { emailAddress: "primary@example.com" } });
  const { code, stdout } = await check(t, google);
  assert.equal(code, 1, stdout);
  assert.match(steps(stdout).profile.join(" "), /^failed .*primary@example\.com.*GMAIL_USER/);
});

test("signing and exchange are told apart", async (t) => {
  const google = await standIn(t, { tokenCreators: [] });
  const { code, stdout } = await check(t, google);
  assert.equal(code, 1, stdout);
  const said = steps(stdout);
  assert.match(said.signJwt.join(" "), /^failed .*roles\/iam\.serviceAccountTokenCreator/);
  assert.equal(said["token exchange"][0], "skipped");
  assert.equal(said["store write"][0], "ok", "Firestore does not need the mailbox");
  assert.doesNotMatch(stdout, /Client ID/);
});

test("a missing delegation is told with what to paste", async (t) => {
  const google = await standIn(t, { delegatedScopes: [] });
  const here = await check(t, google, { GMAIL_SCOPES: BASIC });
  assert.equal(here.code, 1, here.stdout);
  assert.match(here.stdout, /^failed +token exchange +/m);
  assert.match(here.stdout, /^ +Client ID +108765432109876543210$/m);
  assert.match(here.stdout, new RegExp(`^ +OAuth scopes +${BASIC.replace(" ", ",")}$`, "m"));

  // IAM knows it, too
  google.fault({ method: "metadata.identity", status: 404, count: Infinity });
  const elsewhere = await check(t, google);
  assert.match(elsewhere.stdout, /^ +Client ID +108765432109876543210$/m);

  // where nobody tells the number, the way to it
  google.fault({ method: "iamcredentials.projects.serviceAccounts.generateIdToken", status: 403,
    count: Infinity });
  const unknown = await check(t, google);
  assert.match(unknown.stdout,
    /^ +Client ID +\(the Unique ID of .*`gcloud iam service-accounts describe paraph@test-project/m);
});

test("another place for a server of Google's, where nobody is, is told with its variable", async (t) => {
  const google = await standIn(t);
  for (const [variable, step] of [["GCE_METADATA_HOST", "credentials"], ["IAM_CREDENTIALS_URL", "signJwt"],
    ["OAUTH_TOKEN_URL", "token exchange"], ["GMAIL_URL", "profile"], ["FIRESTORE_URL", "store write"],
    ["FIRESTORE_EMULATOR_HOST", "store write"]]) {
    const nowhere = variable.endsWith("_HOST") ? "127.0.0.1:1" : "http://127.0.0.1:1";
    const { code, stdout } = await check(t, google, { UPSTREAM_TIMEOUT: "1", [variable]: nowhere });
    assert.equal(code, 1, stdout);
    const [state, sentence] = steps(stdout)[step];
    assert.equal(state, "failed", stdout);
    assert.ok(sentence.endsWith(`; check ${variable}`), sentence);
  }
});

test("a server that never answers holds nobody up", async (t) => {
  const google = await standIn(t);
  google.fault({ method: "oauth2.token", kind: "hang", count: Infinity });
  const { code, stdout } = await check(t, google, { UPSTREAM_TIMEOUT: "1" });
  assert.equal(code, 1, stdout);
  const told = steps(stdout)["token exchange"].join(" ");
  assert.match(told, /^failed .*(time|answer)/i);
  assert.doesNotMatch(told, /OAUTH_TOKEN_URL/); // somebody is there
});

// --- whose credentials ----------------------------------------------------------------------------

// Settings of a laptop: a file in place of the metadata server.
async function laptop(t, google, file) {
  const path = join(await temporary(t), "adc.json");
  await writeFile(path, JSON.stringify(file));
  const { GCE_METADATA_HOST, ...env } = settings(google);
  assert.ok(GCE_METADATA_HOST);
  return { ...env, GOOGLE_APPLICATION_CREDENTIALS: path, GOOGLE_SERVICE_ACCOUNT_EMAIL: ACCOUNT,
    GOOGLE_CLOUD_PROJECT: google.settings.project };
}

test("a person's credentials on a laptop", async (t) => {
  const google = await standIn(t);
  const env = await laptop(t, google, google.adc());
  const { code, stdout } = await run(t, ["check", "--live"], env);
  assert.equal(code, 0, stdout);
  assertStates(steps(stdout), { ...STATIC, ...all("ok", [...CHAIN, ...STORE]) });
  assert.ok(steps(stdout).credentials[1].includes(env.GOOGLE_APPLICATION_CREDENTIALS));
  assert.deepEqual(google.log.filter(({ api }) => api === "metadata"), []);

  google.configure({ delegatedScopes: [] });
  const undelegated = await run(t, ["check", "--live"], env);
  assert.match(undelegated.stdout, /^ +Client ID +108765432109876543210$/m);

  const { GOOGLE_SERVICE_ACCOUNT_EMAIL, ...nameless } = env;
  assert.ok(GOOGLE_SERVICE_ACCOUNT_EMAIL);
  const unnamed = await run(t, ["check", "--live"], nameless);
  assert.equal(unnamed.code, 1);
  assert.match(steps(unnamed.stdout).account.join(" "),
    /^failed .*GOOGLE_SERVICE_ACCOUNT_EMAIL/);

  // who pays for the person's requests need not have the database
  const { GOOGLE_CLOUD_PROJECT, ...homeless } = env;
  assert.equal(GOOGLE_CLOUD_PROJECT, google.adc().quota_project_id);
  const unplaced = await run(t, ["check", "--live"], homeless);
  assert.equal(unplaced.code, 1);
  assert.match(steps(unplaced.stdout).project.join(" "), /^failed .*set GOOGLE_CLOUD_PROJECT/);
});

test("a person who impersonates the service account", async (t) => {
  const google = await standIn(t);
  const { quota_project_id, ...source } = google.adc();
  const { GOOGLE_SERVICE_ACCOUNT_EMAIL, ...env } = await laptop(t, google, {
    type: "impersonated_service_account", quota_project_id, source_credentials: source,
    service_account_impersonation_url: "https://iamcredentials.googleapis.com/v1/projects/-/" +
      `serviceAccounts/${ACCOUNT}:generateAccessToken`,
  });
  assert.ok(GOOGLE_SERVICE_ACCOUNT_EMAIL, "the file names it");
  const { code, stdout } = await run(t, ["check", "--live"], env);
  assert.equal(code, 0, stdout);
  assert.match(steps(stdout).credentials[1], new RegExp(`${ACCOUNT}, impersonated`));
  assert.deepEqual(google.problems, []);
});

test("a sign-in that has expired", async (t) => {
  const google = await standIn(t);
  const env = await laptop(t, google, { ...google.adc(), refresh_token: "1//old" });
  const { code, stdout } = await run(t, ["check", "--live"], env);
  assert.equal(code, 1, stdout);
  assert.match(steps(stdout).credentials.join(" "),
    /^failed .*gcloud auth application-default login/);
  assertStates(steps(stdout), { ...STATIC, credentials: "failed",
    ...all("skipped", [...CHAIN.slice(1).filter((step) => step !== "signature"), ...STORE]) });
});

test("a key file is refused, with the way to do without", async (t) => {
  const google = await standIn(t);
  const env = await laptop(t, google, { type: "service_account", client_email: ACCOUNT,
    private_key: "the-key-itself" });
  const { code, stdout, stderr } = await run(t, ["check", "--live"], env);
  assert.equal(code, 1, stdout);
  assert.match(steps(stdout).credentials.join(" "),
    /^failed .*key file of a service account.*--impersonate-service-account=paraph@.*delete the key/);
  assert.ok(!(stdout + stderr).includes("the-key-itself"));
});

test("--json is an object for each step, with the remedy as notes", async (t) => {
  const google = await standIn(t, { delegatedScopes: [] });
  const { code, stdout } = await run(t, ["check", "--live", "--json"], settings(google));
  assert.equal(code, 1);
  const plain = await check(t, google);
  const told = stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
  for (const step of told) {
    assert.deepEqual(Object.keys(step), ["step", "state", "text", "notes"]);
  }
  const heads = plain.stdout.split("\n").filter((line) => /^[a-z]/.test(line));
  assert.deepEqual(told.map(({ state, step }) => `${state} ${step}`),
    heads.map((line) => line.match(/^(\w+) +(.*?) {2,}/).slice(1).join(" ")));
  const exchange = told.find(({ step }) => step === "token exchange");
  assert.equal(exchange.state, "failed");
  assert.match(exchange.notes.join("\n"), /Domain-wide Delegation|Domain-wide delegation/);
});

// --- Firestore ------------------------------------------------------------------------------------

test("an index that is missing is named", async (t) => {
  const google = await standIn(t, { indexes: [] });
  const { code, stdout } = await check(t, google);
  assert.equal(code, 1, stdout);
  const said = steps(stdout);
  assert.match(said["store listing"].join(" "),
    /^failed .*email_drafts on status and created_at.*create it at https:\/\/console\.firebase/);
  assert.match(said["store waiting"].join(" "),
    /^failed .*email_drafts on waiting and created_at.*create it at https:\/\/console\.firebase/);
  assert.equal(said["store write"][0], "ok");

  google.fault({ method: "firestore.projects.databases.documents.runQuery", count: Infinity,
    status: 400, body: [{ error: { code: 400, status: "FAILED_PRECONDITION",
      message: "The query requires an index." } }] });
  const unlinked = await check(t, google);
  assert.match(unlinked.stdout,
    /gcloud firestore indexes composite create --collection-group=email_drafts/);
  assert.match(unlinked.stdout, /--field-config=field-path=waiting,order=ascending/);
});

test("a database that may not be used, or is not there", async (t) => {
  const google = await standIn(t);
  google.fault({ method: "firestore.*", symptom: "firestore_permission_denied" });
  const denied = await check(t, google);
  assert.equal(denied.code, 1, denied.stdout);
  assertStates(steps(denied.stdout), { ...STATIC, ...all("ok", CHAIN),
    ...all("failed", ["store write", "store read", "store listing", "store waiting"]) });
  assert.match(denied.stdout, /roles\/datastore\.user/);

  google.faults.clear();
  google.fault({ method: "firestore.*", symptom: "firestore_no_database" });
  const absent = await check(t, google);
  assert.match(steps(absent.stdout)["store write"].join(" "), /^failed .*FIRESTORE_DATABASE/);
});

test("a role that may only read", async (t) => {
  const google = await standIn(t);
  google.fault({ method: "firestore.projects.databases.documents.commit",
    symptom: "firestore_permission_denied" });
  const { code, stdout } = await check(t, google);
  assert.equal(code, 1, stdout);
  assertStates(steps(stdout), { ...STATIC, "store write": "failed",
    ...all("ok", [...CHAIN, "store read", "store listing", "store waiting"]) });
});

test("the tracker needs neither mailbox nor listing", async (t) => {
  const google = await standIn(t);
  const { GMAIL_USER, ...env } = settings(google, { ROLE: "tracker" });
  assert.ok(GMAIL_USER);
  const { code, stdout } = await run(t, ["check", "--live"], env);
  assert.equal(code, 0, stdout);
  assertStates(steps(stdout), { ...STATIC, credentials: "ok", project: "ok", mailbox: "skipped",
    ...all("ok", STORE), ...all("skipped", ["store listing", "store waiting"]) });
  assert.deepEqual(google.log.filter(({ api }) => api === "gmail" || api === "iamcredentials"), []);
});

test("the emulator needs no credentials", async (t) => {
  const google = await standIn(t, { emulator: true, project: "paraph-local" });
  google.fault({ method: "metadata.token", symptom: "metadata_no_service_account" });
  const { code, stdout } = await check(t, google,
    { FIRESTORE_EMULATOR_HOST: google.wires.firestore.address });
  assert.equal(code, 1, stdout);
  const said = steps(stdout);
  assert.equal(said.credentials[0], "failed");
  for (const step of ["project", ...STORE]) assert.equal(said[step][0], "ok", stdout);
});
