// Gmail's search box, as far as programs use it. What it does not know is refused, where Gmail
// would search for it as words: a test should hear of it.

import { header } from "./mail.mjs";
import { invalid } from "./rpc.mjs";

const DAY_MS = 86_400_000;
const UNIT_MS = { h: DAY_MS / 24, d: DAY_MS, m: 30 * DAY_MS, y: 365 * DAY_MS };
const LABEL_OF = { sent: "SENT", draft: "DRAFT", drafts: "DRAFT", inbox: "INBOX", trash: "TRASH" };

const has = (text, part) => (text ?? "").toLowerCase().includes(part.toLowerCase());
const isAmong = (list, part) =>
  list.some(({ name, address }) => has(address, part) || has(name, part));

function moment(value) {
  const time = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value.replaceAll("/", "-"));
  if (Number.isNaN(time)) throw invalid(`Invalid date in query: ${value}`);
  return time;
}

function span(value) {
  const hit = /^(\d+)([hdmy])$/.exec(value);
  if (!hit) throw invalid(`Invalid span in query: ${value}`);
  return Number(hit[1]) * UNIT_MS[hit[2]];
}

const OPERATORS = {
  rfc822msgid: ({ bytes }, value) =>
    (header(bytes, "Message-ID") ?? "").replace(/^<|>$/g, "") === value.replace(/^<|>$/g, ""),
  in: ({ labelIds }, value) => value === "anywhere" || labelIds.includes(LABEL_OF[value]),
  is: ({ labelIds }, value) => labelIds.includes(value.toUpperCase()),
  label: ({ labelIds }, value) => labelIds.includes(value.toUpperCase()),
  from: ({ mail }, value) => isAmong(mail.from, value),
  to: ({ mail }, value) => isAmong([...mail.to, ...mail.cc, ...mail.bcc], value),
  subject: ({ mail }, value) => has(mail.subject, value),
  after: ({ at }, value) => at >= moment(value),
  before: ({ at }, value) => at < moment(value),
  newer_than: ({ at }, value, now) => at >= now - span(value),
  older_than: ({ at }, value, now) => at < now - span(value),
};

export function search(messages, query, now) {
  const terms = query.match(/-?(?:\w+:)?(?:"[^"]*"|\S+)/g) ?? [];
  const tests = terms.map((term) => {
    const [, not, name, quoted] = /^(-?)(?:(\w+):)?(.*)$/s.exec(term);
    const value = quoted.replace(/^"(.*)"$/s, "$1");
    if (name && !OPERATORS[name]) throw invalid(`The stand-in does not know the search ${name}:`);
    const test = name
      ? (message) => OPERATORS[name](message, value, now)
      : ({ mail }) => has(mail.subject, value) || has(mail.text, value) || has(mail.html, value);
    return not ? (message) => !test(message) : test;
  });
  return messages.filter((message) => tests.every((test) => test(message)));
}
