// A peer: what one would write in Node with Google's own clients, for the same two requests. It does
// less: no policies, no signature of the mailbox, no claims, and of a message only its text.
//
//   PORT=… GOOGLE=host:port node peer.mjs

import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { Firestore } from "@google-cloud/firestore";
import { gmail } from "@googleapis/gmail";
import { OAuth2Client } from "google-auth-library";
import MailComposer from "nodemailer/lib/mail-composer/index.js";

const { PORT, GOOGLE } = process.env;
const auth = new OAuth2Client();
auth.setCredentials({ access_token: "mailbox", expiry_date: Date.now() + 3600e3 });
const store = new Firestore({ projectId: "bench", host: GOOGLE, ssl: false, preferRest: true,
  authClient: auth });
const mailbox = gmail({ version: "v1", auth, rootUrl: `http://${GOOGLE}/` });

async function draft({ to, subject, message }) {
  const id = randomUUID();
  await store.collection("email_drafts").doc(id).create({ to, subject, body: message,
    status: "pending", created_at: new Date() });
  return { status: "ok", mode: "draft", draft_id: id };
}

async function send({ to, subject, message }) {
  const id = randomUUID();
  const html = `<p>${message.replaceAll("\n", "<br>")}</p><img src="https://t.example.org/pixel?id=${id}">`;
  const mail = await new MailComposer({ from: "sender@example.com", to, subject, text: message, html })
    .compile().build();
  const [{ data }] = await Promise.all([
    mailbox.users.messages.send({ userId: "me", requestBody: { raw: mail.toString("base64url") } }),
    store.collection("email_opens").doc(id).create({ to, subject, open_count: 0, sent_at: new Date() }),
  ]);
  return { status: "ok", mode: "send", message_id: data.id, pixel_id: id };
}

async function answer(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const message = JSON.parse(Buffer.concat(chunks));
  for (const name of ["to", "subject", "message"]) {
    if (typeof message[name] !== "string") throw new TypeError(`${name} must be text`);
  }
  return message.mode === "send" ? send(message) : draft(message);
}

createServer(async (request, response) => {
  let status = 200, json;
  try {
    json = await answer(request);
  } catch (error) {
    [status, json] = [error instanceof TypeError ? 400 : 502, { status: "error", error: error.message }];
  }
  response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(json));
}).listen(Number(PORT), "127.0.0.1");
