// Firestore as other programs see it: through Google's own client, over REST.

import { atEnd } from "./service.mjs";

// A function that gives the client, made when it is first asked for: loading it takes a second.
// `token` is that of an account which may use the database. Integers come as BigInt.
export function firestore(t, projectId, host, token) {
  let client;
  const open = async () => {
    const [{ Firestore }, { auth }] =
      await Promise.all([import("@google-cloud/firestore"), import("@googleapis/gmail")]);
    const account = new auth.OAuth2();
    account.setCredentials({ access_token: await token() });
    const db = new Firestore(
      { projectId, host, ssl: false, preferRest: true, auth: account, useBigInt: true });
    atEnd(t, () => db.terminate());
    return db;
  };
  return () => client ??= open();
}

const text = (time) =>
  `${new Date(time.seconds * 1000).toISOString().slice(0, 19)}.` +
  `${String(time.nanoseconds / 1000).padStart(6, "0")}Z`;

// The members of a document as paraph has them: times are RFC 3339 with 6 digits.
export function plain(members) {
  return members && Object.fromEntries(Object.entries(members).map(([name, value]) => {
    if (typeof value === "bigint") return [name, Number(value)];
    return [name, value?.constructor.name === "Timestamp" ? text(value) : value];
  }));
}

// The reverse: members named like times, which are RFC 3339, are times.
export function timed(members) {
  return Object.fromEntries(Object.entries(members).map(([name, value]) => {
    const is = /_(at|since)$/.test(name) && typeof value === "string" && !isNaN(Date.parse(value));
    return [name, is ? new Date(value) : value];
  }));
}
