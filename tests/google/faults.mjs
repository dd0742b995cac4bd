// Faults on demand. A fault says which calls it hits and what happens to them:
//
//   method   id of a method ("gmail.users.drafts.send"), or a prefix with * ("gmail.*", "*")
//   mailbox  only that mailbox's calls
//   skip     so many calls go by unharmed first (0)
//   count    so many are hit, then it is spent (1; a symptom: as SYMPTOMS says, else Infinity)
//   when     "before" (default) or "after" the call was processed
//   and one of
//   symptom  a name of SYMPTOMS, which also gives the method; retryAfterMs where the text has a time
//   status   an error of that HTTP status in the API's own dialect; or with body (text, or JSON) and
//            headers exactly that answer. With `reason` and `message` for the older envelope
//   kind     "cut"       the connection breaks (reset: true, by RST); when "connect" as well: what
//                        connects next, or idles, is cut before a request is read
//            "hang"      no answer ever comes
//            "truncate"  processed; the answer breaks off half way
//            "slow"      processed; the answer drips over `ms`
//            "delay"     `ms` pass, then it is processed
//            "mutate"    the answers to a `share` of the calls (0.8) are changed by chance that
//                        begins with `seed` (mutate.mjs); `mutated` counts them
//
// Where several match, the newest one hits.

import { Mutations } from "./mutate.mjs";
import { ApiError } from "./rpc.mjs";
import { SYMPTOMS, symptomError } from "./symptoms.mjs";

const MEMBERS = ["method", "mailbox", "skip", "count", "when", "symptom", "retryAfterMs", "status",
  "reason", "message", "domain", "body", "headers", "kind", "reset", "ms", "seed",
  "share"];
const KINDS = ["answer", "cut", "hang", "truncate", "slow", "delay", "mutate"];
const ALWAYS_AFTER = ["truncate", "slow"];

function checked(spec) {
  for (const name of Object.keys(spec)) {
    if (!MEMBERS.includes(name)) throw new Error(`A fault has no member '${name}'.`);
  }
  const symptom = spec.symptom === undefined ? {} : SYMPTOMS[spec.symptom];
  if (!symptom) throw new Error(`There is no symptom '${spec.symptom}'.`);
  const fault = {
    kind: "answer", method: symptom.method, skip: 0, when: "before",
    count: symptom.count ?? (spec.symptom ? Infinity : 1), ...spec, hits: 0,
  };
  if (fault.count === null) fault.count = Infinity; // as JSON has it
  if (!fault.method) throw new Error("A fault needs a method.");
  if (!KINDS.includes(fault.kind)) throw new Error(`There is no kind of fault '${fault.kind}'.`);
  if (fault.kind === "answer" && !fault.symptom && !fault.status) {
    throw new Error("A fault needs a symptom, a status or a kind.");
  }
  const moments = fault.kind === "cut" ? ["before", "after", "connect"] : ["before", "after"];
  if (!moments.includes(fault.when)) throw new Error(`'${fault.when}' is no time for this fault.`);
  if (ALWAYS_AFTER.includes(fault.kind)) fault.when = "after";
  if (fault.kind === "mutate") {
    fault.mutations = new Mutations(fault.seed ?? 1, fault.share ?? 0.8);
    fault.mutated = 0;
  }
  return fault;
}

const covers = (pattern, method) =>
  pattern.endsWith("*") ? method.startsWith(pattern.slice(0, -1)) : pattern === method;

export class Faults {
  #faults = [];
  #world;

  constructor(world) {
    this.#world = world;
  }

  // The fault as it stands: `hits` counts, remove() takes it away.
  add(spec) {
    const fault = checked(spec);
    fault.remove = () => { this.#faults = this.#faults.filter((other) => other !== fault); };
    this.#faults.unshift(fault);
    return fault;
  }

  clear() {
    this.#faults = [];
  }

  #take(accept) {
    for (const fault of this.#faults) {
      if (!accept(fault)) continue;
      if (fault.skip > 0) {
        fault.skip--;
        continue;
      }
      fault.hits++;
      if (fault.hits >= fault.count) fault.remove();
      return fault;
    }
    return null;
  }

  take(call) {
    return this.#take((fault) => fault.when !== "connect" && covers(fault.method, call.method) &&
      (fault.mailbox === undefined || fault.mailbox === call.mailbox));
  }

  takeConnect(api) {
    return this.#take((fault) => fault.when === "connect" && covers(fault.method, `${api}.`));
  }

  hasConnect(api) {
    return this.#faults.some((fault) => fault.when === "connect" && covers(fault.method, `${api}.`));
  }

  // What a fault of kind "answer" answers.
  answer(fault, api, call) {
    const { status, body, headers, symptom } = fault;
    if (symptom && SYMPTOMS[symptom].answer) return SYMPTOMS[symptom].answer;
    if (symptom) {
      const { settings } = this.#world;
      const context = { now: this.#world.now(), retryAfterMs: fault.retryAfterMs };
      return api.refuse(symptomError(symptom, settings, context), call);
    }
    if (body === undefined) {
      const answer = api.refuse(ApiError.ofStatus(status, fault), call);
      return { ...answer, headers: { ...answer.headers, ...headers } };
    }
    return { status, headers, ...(typeof body === "string" ? { text: body } : { json: body }) };
  }
}
