// The stand-in for Google: metadata server, IAM Credentials, token endpoint, Gmail and Firestore, on
// loopback, each on a port of its own, so that a call to the wrong host is seen.
//
//   const google = await startGoogle();
//   spawn(paraph, { env: { ...google.env(), GMAIL_USER: google.mailbox } });
//   google.faults.add({ method: "gmail.users.drafts.send", kind: "cut", when: "after" });
//   await google.until(({ method }) => method === "gmail.users.drafts.send");
//   google.mails(); google.document("email_drafts", id); await google.stop();

import { createHash, generateKeyPair } from "node:crypto";
import { parseArgs, promisify } from "node:util";
import { pathToFileURL } from "node:url";
import { Control } from "./control.mjs";
import { Faults } from "./faults.mjs";
import { Firestore } from "./firestore.mjs";
import { Gmail } from "./gmail.mjs";
import { Iam } from "./iam.mjs";
import { Metadata } from "./metadata.mjs";
import { OAuth } from "./oauth.mjs";
import { secret } from "./secrets.mjs";
import { scope, Tokens } from "./tokens.mjs";
import { Wire } from "./wire.mjs";

const ACCOUNT = "paraph@test-project.iam.gserviceaccount.com";
const PORTS = ["metadata", "iamcredentials", "oauth2", "gmail", "firestore", "control"];

// The world as it is set up, unless a test says otherwise; may be changed while it runs.
const SETTINGS = {
  project: "test-project",
  projectNumber: "123456789012",
  region: "europe-west1",
  serviceAccount: ACCOUNT,
  uniqueId: "108765432109876543210",
  tokenCreators: [ACCOUNT, "dev@example.com"], // who may sign as the service account
  laptop: { // user credentials of a developer
    email: "dev@example.com", clientId: "laptop.apps.googleusercontent.com",
    clientSecret: "laptop-secret", refreshToken: "1//laptop-refresh", mayUseProject: true,
  },
  // What the entry for domain-wide delegation lists.
  delegatedScopes: ["https://mail.google.com/", ...["gmail.compose", "gmail.send", "gmail.modify",
    "gmail.readonly", "gmail.metadata", "gmail.settings.basic"].map(scope)],
  // Users of the domain: { name, signature } of the primary address, or all of sendAs (as the API
  // has it).
  mailboxes: { "sender@example.com": { name: "Sam Sender", signature: "<p>-- <br>Sam</p>" } },
  database: "(default)",
  indexes: null, // composite indexes, as in firestore.indexes.json: others are then missing
  emulator: false, // take "Bearer owner", as the Firestore emulator does
  tokenSeconds: 3600, // life of the service's tokens
  mailboxTokenSeconds: 3599,
  clockSkewMs: 0, // how far Google's clock is ahead of ours
  keepMessageId: false, // Gmail replaces the Message-ID of what it sends
  searchLagMs: 0, // what is younger is not found by a search
  unitsPerMinute: Infinity, // quota of a mailbox (really 6,000)
  jsonBytes: 5 * 1024 * 1024, // a message in JSON
};

const makeKey = promisify(generateKeyPair);

class Google {
  settings;
  mailboxes = new Map();
  signers = new Map(); // key id → service account
  tokens = new Tokens(() => this.now());
  faults = new Faults(this);
  log = []; // calls, in the order of arrival
  problems = []; // what Google lets pass, but no test should
  #calls = 0;
  #underWay = 0;
  #watchers = new Set();
  #initial;

  constructor(options) {
    for (const name of Object.keys(options)) {
      if (!(name in SETTINGS)) throw new Error(`The stand-in has no setting '${name}'.`);
    }
    this.#initial = structuredClone({ ...SETTINGS, ...options });
    this.settings = structuredClone(this.#initial);
    this.key = makeKey("rsa", { modulusLength: 2048 }).then(({ privateKey, publicKey }) => {
      const der = publicKey.export({ type: "spki", format: "der" });
      return { privateKey, publicKey, keyId: createHash("sha1").update(der).digest("hex") };
    });
    this.gmail = new Gmail(this);
    this.firestore = new Firestore(this);
    const apis = [new Metadata(this), new Iam(this), new OAuth(this), this.gmail, this.firestore,
      new Control(this)];
    this.wires = Object.fromEntries(apis.map((api) => [api.name, new Wire(this, api)]));
  }

  async start(port) {
    await Promise.all(PORTS.map((name, i) => this.wires[name].listen(port && port + i)));
    return this;
  }

  async stop() {
    await Promise.all(Object.values(this.wires).map((wire) => wire.close()));
  }

  now = () => Date.now() + this.settings.clockSkewMs;

  // The variables that point a program here.
  env() {
    const { metadata, firestore, gmail, iamcredentials, oauth2 } = this.wires;
    return {
      GCE_METADATA_HOST: metadata.address,
      FIRESTORE_URL: firestore.url,
      GMAIL_URL: gmail.url,
      IAM_CREDENTIALS_URL: iamcredentials.url,
      OAUTH_TOKEN_URL: `${oauth2.url}/token`,
    };
  }

  // A laptop's file of Application Default Credentials.
  adc() {
    const { clientId, clientSecret, refreshToken } = this.settings.laptop;
    return {
      type: "authorized_user", client_id: clientId, client_secret: secret(clientSecret),
      refresh_token: secret(refreshToken), quota_project_id: this.settings.project,
    };
  }

  // --- what happened ------------------------------------------------------------------------------

  get mailbox() {
    return Object.keys(this.settings.mailboxes)[0];
  }

  #box(email) {
    return this.mailboxes.get(email.toLowerCase());
  }

  // What left a mailbox, in order: { id, threadId, draftId, from, asked, recipients, submitted,
  // delivered (bytes), read (what each parser makes of it) }.
  mails(email = this.mailbox) {
    return this.#box(email).mails;
  }

  drafts(email = this.mailbox) {
    return [...this.#box(email).drafts.values()];
  }

  receive(email, bytes) {
    return this.gmail.receive(email, Buffer.from(bytes));
  }

  // The fields of a document, as Firestore has them; undefined if there is none.
  document(...path) {
    const { project, database } = this.settings;
    const root = `projects/${project}/databases/${database}/documents`;
    return this.firestore.documents.get([root, ...path].join("/"))?.fields;
  }

  calls(method) {
    return this.log.filter((call) => call.method === method);
  }

  // The first call, past or to come, for which `accept` is true: asked when a call has been read,
  // and again when it has ended.
  until(accept) {
    const past = this.log.find(accept);
    if (past) return Promise.resolve(past);
    return new Promise((resolve) => { this.#watchers.add({ accept, resolve }); });
  }

  // Be told of every call from now on: when it has been read, and again when it has ended.
  watch(listener) {
    this.#watchers.add({ accept: (call) => void listener(call) });
  }

  // Everything as at the start, but for the keys; tokens given out are refused.
  reset() {
    this.settings = structuredClone(this.#initial);
    this.faults.clear();
    this.tokens.revoke();
    this.firestore.reset();
    this.gmail.reset();
    this.log = [];
    this.problems = [];
  }

  // Settings, while it runs. Of mailboxes only those that change are emptied.
  configure(changes) {
    for (const name of Object.keys(changes)) {
      if (!(name in SETTINGS)) throw new Error(`The stand-in has no setting '${name}'.`);
    }
    Object.assign(this.settings, structuredClone(changes));
    if (changes.mailboxes) this.gmail.reset();
  }

  // A fault; one of "connect" also ends the connections that idle.
  fault(spec) {
    const fault = this.faults.add(spec);
    for (const wire of Object.values(this.wires)) {
      if (fault.when === "connect") wire.closeIdle();
    }
    return fault;
  }

  // --- for the wires ------------------------------------------------------------------------------

  nextNumber() {
    return ++this.#calls;
  }

  arrived(call) {
    if (call.api !== "control") this.log.push(call);
    call.concurrent = ++this.#underWay;
    return call;
  }

  seen(call) {
    for (const watcher of this.#watchers) {
      if (!watcher.accept(call)) continue;
      this.#watchers.delete(watcher);
      watcher.resolve(call);
    }
  }

  ended(call) {
    this.#underWay--;
    call.ended = true;
    call.ms = this.now() - call.at;
    this.seen(call);
  }

  problem(call, text) {
    this.problems.push(`${call.request}: ${text}`);
  }
}

export async function startGoogle({ port = 0, ...settings } = {}) {
  return new Google(settings).start(port);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const { values } = parseArgs({ options: { port: { type: "string", default: "0" } } });
  const google = await startGoogle({ port: Number(values.port) });
  for (const [name, value] of Object.entries(google.env())) console.log(`${name}=${value}`);
  console.log(`# GMAIL_USER=${google.mailbox}`);
  console.log(`# control: ${google.wires.control.url}/_control/`);
}
