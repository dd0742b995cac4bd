// Firestore as other programs see it: through Google's own client, over REST.

import { atEnd } from "./service.mjs";

// A function that gives the client, made when it is first asked for: loading it takes a second.
// `token` is that of an account which may use the database.
export function firestore(t, projectId, host, token) {
  let client;
  const open = async () => {
    const [{ Firestore }, { auth }] =
      await Promise.all([import("@google-cloud/firestore"), import("@googleapis/gmail")]);
    const account = new auth.OAuth2();
    account.setCredentials({ access_token: await token() });
    const db = new Firestore({ projectId, host, ssl: false, preferRest: true, auth: account });
    atEnd(t, () => db.terminate());
    return db;
  };
  return () => client ??= open();
}

const text = (time) =>
  `${new Date(time.seconds * 1000).toISOString().slice(0, 19)}.` +
  `${String(time.nanoseconds / 1000).padStart(6, "0")}Z`;

// The members of a document, with times as paraph has them: RFC 3339 with 6 digits.
export function plain(members) {
  return members && Object.fromEntries(Object.entries(members).map(([name, value]) =>
    [name, value?.constructor.name === "Timestamp" ? text(value) : value]));
}
