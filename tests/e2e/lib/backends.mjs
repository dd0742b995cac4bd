// The two backends as one: what a test asks of the world behind the service, whichever it is.

import { execFile } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { settings, standIn } from "./google.mjs";
import { temporary } from "./service.mjs";

const LEASES = ["running_since", "sending_since"];
const LONG_AGO = "2020-01-01T00:00:00Z";

// env       of every service that shares this world
// subjects  of all mail that has left
// waiting   messages that are staged, and have not left
// outlive   let every claim there is outlive its holder
async function local(t) {
  const DATA_DIR = join(await temporary(t), "data");
  const outbox = (dir) => join(DATA_DIR, "outbox", dir);
  const sql = (text) => promisify(execFile)("sqlite3",
    ["-cmd", ".timeout 10000", join(DATA_DIR, "paraph.db"), text]);
  return {
    // Else the pixel, and with it the message, would depend on the port.
    env: { DATA_DIR, PIXEL_TRACKER_BASE_URL: "https://t.example.org" },
    async subjects() {
      const mails = (await readdir(outbox("new"))).map((name) => join(outbox("new"), name));
      const texts = await Promise.all(mails.map((path) => readFile(path, "utf8")));
      return texts.map((text) => text.match(/^Subject: (.*)\r$/m)[1]);
    },
    waiting: () => readdir(outbox("tmp")),
    outlive: () => sql(LEASES.map((name) => "UPDATE document " +
      `SET body = json_set(body, '$.${name}', '${LONG_AGO}') ` +
      `WHERE json_extract(body, '$.${name}') IS NOT NULL;`).join("\n")),
  };
}

async function google(t) {
  const stand = await standIn(t);
  return {
    google: stand,
    env: settings(stand),
    subjects: async () => stand.mails().map(({ read }) => read.mailparser.subject),
    waiting: async () => stand.drafts(),
    async outlive() {
      for (const { fields } of stand.firestore.documents.values()) {
        for (const name of LEASES) {
          if (fields[name]) fields[name] = { timestampValue: LONG_AGO };
        }
      }
    },
  };
}

export const backends = { local, google };
