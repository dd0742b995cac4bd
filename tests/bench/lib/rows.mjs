// The rows of the table: name, how it is measured, with what; and what is to be reached, of the first
// figure of the row (`atMost`: less is better).

import * as instructions from "./instructions.mjs";
import { mime } from "./mime.mjs";
import * as alone from "./process.mjs";
import * as traffic from "./traffic.mjs";

const loaded = (connections, seconds) => [
  { name: `draft into Firestore, ${connections} connections`, measure: traffic.drafts,
    options: { seconds, connections }, reach: 12000 },
  { name: `direct send, tracked, ${connections} connections`, measure: traffic.sends,
    options: { seconds, connections }, reach: 6000 },
  { name: `JSON in, Lua, JSON out, ${connections} connections`, measure: traffic.echo,
    options: { seconds, connections } },
  { name: `draft, durable, embedded store, ${connections} connections`, measure: traffic.durable,
    options: { seconds, connections }, reach: 10000 },
  { name: `pixel, embedded store, ${connections} connections`, measure: traffic.pixel,
    options: { seconds, connections }, reach: 10000 },
];

// So many times longer than the others: in the first wait nobody is answered.
const LONGER = 4;

const waiting = (connections, seconds, reach) => ({
  name: `direct send, 200 ms a call, ${connections} connections`, measure: traffic.waiting,
  options: { seconds: LONGER * seconds, connections, peer: connections <= 1000 }, reach,
});

const attached = (name, size, seconds) => ({ name: `MIME, attachment of ${name}`, measure: mime,
  options: { size, seconds } });

const counted = (requests) => [
  { name: "instructions of a draft", measure: instructions.ofDraft, options: { requests } },
  { name: "instructions of a send", measure: instructions.ofSend, options: { requests } },
  { name: "instructions of JSON in, Lua, JSON out", measure: instructions.ofEcho, options: { requests } },
];

const ofProcess = (times, mib) => [
  { name: "exec to first /ready", measure: alone.startReady, options: { times } },
  { name: "exec to first draft (Google)", measure: alone.startDraft, options: { times }, atMost: 25 },
  { name: "memory, idle", measure: alone.idle, options: {}, atMost: 12 },
  { name: `memory for an attachment of ${mib} MB, direct send`, measure: alone.attachment,
    options: { mib }, atMost: 4 },
  { name: "reload", measure: alone.reload, options: { times } },
];

export const rows = (seconds) => [
  ...loaded(64, seconds),
  waiting(256, seconds), waiting(1000, seconds, 4500), waiting(5000, seconds),
  attached("1 KB", 1e3, seconds), attached("100 KB", 1e5, seconds), attached("20 MB", 2e7, seconds),
  ...counted(500), ...ofProcess(15, 25),
];

// The same for a moment, with few: a busy machine is to answer some of them in it.
export const smokeRows = (seconds) => [
  ...loaded(8, seconds), waiting(8, seconds), attached("1 KB", 1e3, seconds), attached("1 MB", 1e6, seconds),
  ...counted(32), ...ofProcess(3, 5),
];
