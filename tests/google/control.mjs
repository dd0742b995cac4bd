// The control API, for tests that are not written in JavaScript: the methods of the stand-in, over
// HTTP.
//
//   GET    /_control/log          calls        DELETE empties it
//   GET    /_control/state        mails, drafts, documents, problems
//   GET    /_control/env          the variables
//   GET    /_control/symptoms     their names
//   POST   /_control/faults       a fault      DELETE takes all away
//   POST   /_control/settings     changes
//   POST   /_control/receive      { mailbox, raw: base64url }
//   POST   /_control/revoke       { who } or {}: tokens are refused from now on
//   POST   /_control/reset

import { ApiError, parseJson, rpcEnvelope } from "./rpc.mjs";
import { SYMPTOMS } from "./symptoms.mjs";

function shownCall({ n, api, method, request, who, mailbox, status, error, fault, at, ms, json }) {
  const hit = fault && { kind: fault.kind, symptom: fault.symptom, when: fault.when };
  return { n, api, method, request, who, mailbox, status, error, fault: hit, at, ms, json };
}

function shownMail({ submitted, delivered, read, ...mail }) {
  const { subject, text, html } = read.mailparser;
  return { ...mail, subject, text, html, delivered: delivered.toString("base64url") };
}

export class Control {
  name = "control";
  #world;

  constructor(world) {
    this.#world = world;
  }

  route(call) {
    call.method = `control.${call.path.replace("/_control/", "")}`;
  }

  async answer(call) {
    const verb = `${call.http} ${call.path.replace("/_control/", "")}`;
    const serve = this.#verbs[verb];
    if (!serve) throw new ApiError("NOT_FOUND", `There is no ${verb}.`);
    const body = call.http === "POST" && call.body.length > 0 ? parseJson(call) : {};
    try {
      return { json: (await serve(this.#world, body)) ?? {} };
    } catch (error) {
      throw new ApiError("INVALID_ARGUMENT", error.message);
    }
  }

  #verbs = {
    "GET log": (world) => world.log.map(shownCall),
    "DELETE log": (world) => { world.log = []; },
    "GET state": ({ mailboxes, firestore, problems }) => ({
      mailboxes: Object.fromEntries([...mailboxes.values()].map((box) => [box.email, {
        mails: box.mails.map(shownMail),
        drafts: [...box.drafts.values()].map(({ id, message }) =>
          ({ id, message: { id: message.id, raw: message.bytes.toString("base64url") } })),
      }])),
      documents: Object.fromEntries(firestore.documents), problems,
    }),
    "GET env": (world) => world.env(),
    "GET symptoms": () => Object.keys(SYMPTOMS),
    "POST faults": (world, spec) => { world.fault(spec); },
    "DELETE faults": (world) => world.faults.clear(),
    "POST settings": (world, changes) => world.configure(changes),
    "POST receive": (world, { mailbox, raw }) =>
      world.receive(mailbox, Buffer.from(raw, "base64url")),
    "POST revoke": (world, { who = null }) => world.tokens.revoke(who),
    "POST reset": (world) => world.reset(),
  };

  refuse(error) {
    return { status: error.http, json: rpcEnvelope(error) };
  }
}
