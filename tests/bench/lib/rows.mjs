// The rows of the table: name, how it is measured, with what; and what is to be reached, of the first
// figure of the row (`atMost`: less is better).

import * as instructions from "./instructions.mjs";
import { mime } from "./mime.mjs";
import * as alone from "./process.mjs";
import * as traffic from "./traffic.mjs";

// smoke: everything, for a moment.
export function rows({ seconds, smoke }) {
  const times = smoke ? 3 : 15, requests = smoke ? 32 : 500, mib = smoke ? 5 : 25;
  const waiting = (connections, reach) => ({ name: `direct send, 200 ms a call, ${connections} connections`,
    measure: traffic.waiting, options: { connections, seconds }, reach });
  const attached = (size, name) => ({ name: `MIME, attachment of ${name}`, measure: mime,
    options: { size, seconds } });
  return [
    { name: "draft into Firestore, 64 connections", measure: traffic.drafts, options: { seconds }, reach: 12000 },
    { name: "direct send, tracked, 64 connections", measure: traffic.sends, options: { seconds }, reach: 6000 },
    waiting(256),
    ...(smoke ? [] : [waiting(1000, 4500), waiting(5000)]),
    { name: "JSON in, Lua, JSON out, 64 connections", measure: traffic.echo, options: { seconds } },
    { name: "draft, durable, embedded store", measure: traffic.durable, options: { seconds }, reach: 10000 },
    { name: "pixel, embedded store", measure: traffic.pixel, options: { seconds }, reach: 10000 },
    attached(1000, "1 KB"),
    attached(100000, "100 KB"),
    ...(smoke ? [] : [attached(20000000, "20 MB")]),
    { name: "instructions of a draft", measure: instructions.ofDraft, options: { requests } },
    { name: "instructions of a send", measure: instructions.ofSend, options: { requests } },
    { name: "instructions of JSON in, Lua, JSON out", measure: instructions.ofEcho, options: { requests } },
    { name: "exec to first /ready", measure: alone.startReady, options: { times } },
    { name: "exec to first draft (Google)", measure: alone.startDraft, options: { times }, atMost: 25 },
    { name: "memory, idle", measure: alone.idle, options: {}, atMost: 12 },
    { name: `memory for an attachment of ${mib} MB, direct send`, measure: alone.attachment,
      options: { mib }, atMost: 4 },
    { name: "reload", measure: alone.reload, options: { times } },
  ];
}
