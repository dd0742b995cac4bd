// The backends as one: what a test asks of the world behind the service, whichever it is.
//
// Tests that take start() from here run where TEST_ON says:
//
//   local     SQLite and the outbox (default)
//   google    the stand-in for Google
//   emulator  the same, but Firestore is Google's own emulator, at FIRESTORE_EMULATOR_HOST

import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { serviceToken } from "../../google/client.mjs";
import { firestore, plain, timed } from "./firestore.mjs";
import { MAILBOX, settings, standIn } from "./google.mjs";
import * as program from "./service.mjs";

const LEASES = ["running_since", "sending_since", "due_at"]; // of whoever delivers an event
const BATCH = 500; // writes that Firestore takes at once
const LONG_AGO = "2020-01-01T00:00:00Z";

const quoted = (text) => `'${text.replaceAll("'", "''")}'`;

// As SQL: a version that was never there before, and the members as JSON.
const insert = (collection) => ([id, members]) =>
  "UPDATE sequence SET last = last + 1; INSERT OR REPLACE INTO document (collection, id, version, " +
  `body) SELECT ${[collection, id].map(quoted)}, last, ${quoted(JSON.stringify(members))} ` +
  "FROM sequence;";

// env       of every service that shares this world
// sign      changes the signature of the mailbox, which a service asks for when it starts
// mails     those that have left, all or with names that are wanted, as they were handed over:
//           { name, bytes }
// subjects  of these
// waiting   messages that are staged, and have not left
// thread    members of a message that answers another
// stored    a document as other programs find it, its times as text; undefined: there is none
// put       documents as other programs write them, many at once: { id: members }
// outlive   let every claim there is outlive its holder
async function local(t) {
  const DATA_DIR = join(await program.temporary(t), "data");
  const outbox = (dir) => join(DATA_DIR, "outbox", dir);
  const sql = async (text) => {
    const run = promisify(execFile)("sqlite3",
      ["-bail", "-cmd", ".timeout 10000", join(DATA_DIR, "paraph.db")]);
    run.child.stdin.end(text);
    return (await run).stdout;
  };
  const mails = async (wanted = () => true) =>
    Promise.all((await readdir(outbox("new"))).filter(wanted).map(async (name) =>
      ({ name, bytes: await readFile(join(outbox("new"), name)) })));
  // Else the pixel, and with it the message, would depend on the port.
  const env = { DATA_DIR, PIXEL_TRACKER_BASE_URL: "https://t.example.org" };
  return {
    env,
    sign: (html) => { env.LOCAL_SIGNATURE = html; },
    mails,
    subjects: async () =>
      (await mails()).map(({ bytes }) => bytes.toString().match(/^Subject: (.*)\r$/m)[1]),
    waiting: () => readdir(outbox("tmp")),
    thread: async () => ({ thread_id: "t-1", in_reply_to: "<x@example.com>" }),
    async stored(collection, id) {
      const body = await sql(
        `SELECT body FROM document WHERE collection = '${collection}' AND id = '${id}'`);
      return body === "" ? undefined : JSON.parse(body);
    },
    put: (collection, documents) => sql(`BEGIN;\n${Object.entries(documents).map(insert(collection))
      .join("\n")}\nCOMMIT;`),
    outlive: () => sql(LEASES.map((name) => "UPDATE document " +
      `SET body = json_set(body, '$.${name}', '${LONG_AGO}') ` +
      `WHERE json_extract(body, '$.${name}') IS NOT NULL;`).join("\n")),
  };
}

const QUESTION = "From: ann@example.com\r\nSubject: Hello\r\nMessage-ID: <x@example.com>\r\n\r\nHi\r\n";

// google    the stand-in
// db        Google's client for its Firestore, or for that of the emulator
async function google(t, { emulator, ...options } = {}) {
  const stand = await standIn(t, options);
  const project = emulator ? `test-${randomUUID()}`.slice(0, 30) : stand.settings.project;
  const db = emulator ? firestore(t, project, emulator, async () => "owner")
    : firestore(t, project, stand.wires.firestore.address, () => serviceToken(stand));
  return {
    google: stand,
    db,
    env: settings(stand,
      emulator && { FIRESTORE_EMULATOR_HOST: emulator, GOOGLE_CLOUD_PROJECT: project }),
    sign: (signature) => stand.configure({ mailboxes: { [MAILBOX]: { signature } } }),
    mails: async (wanted = () => true) => stand.mails().filter(({ id }) => wanted(id))
      .map(({ id, submitted }) => ({ name: id, bytes: submitted })),
    subjects: async () => stand.mails().map(({ read }) => read.mailparser.subject),
    waiting: async () => stand.drafts(),
    async thread() {
      const { threadId } = await stand.receive(MAILBOX, QUESTION);
      return { thread_id: threadId, in_reply_to: "<x@example.com>" };
    },
    stored: async (collection, id) =>
      plain((await (await db()).collection(collection).doc(id).get()).data()),
    async put(collection, documents) {
      const client = await db(), all = Object.entries(documents);
      for (let from = 0; from < all.length; from += BATCH) {
        const batch = client.batch();
        for (const [id, members] of all.slice(from, from + BATCH)) {
          batch.set(client.collection(collection).doc(id), timed(members));
        }
        await batch.commit();
      }
    },
    async outlive() {
      for (const collection of await (await db()).listCollections()) {
        for (const document of (await collection.get()).docs) {
          const held = LEASES.filter((name) => document.get(name));
          for (const name of held) await document.ref.update({ [name]: new Date(LONG_AGO) });
        }
      }
    },
  };
}

export const backends = { local, google };

// Many worlds on one emulator: each is a project of its own.
const emulator = (t, options) =>
  google(t, { emulator: process.env.FIRESTORE_EMULATOR_HOST, ...options });

// A world where TEST_ON says; the options are those of the stand-in, where there is one.
export const world = { local, google, emulator }[process.env.TEST_ON ?? "local"];

// A service in a world of its own, or in one that there is already.
export async function start(t, env = {}, { at, ...options } = {}) {
  const there = at ?? await world(t, options);
  const service = await program.start(t, { ...there.env, ...env });
  service.world = there;
  service.mails = there.mails;
  return service;
}
