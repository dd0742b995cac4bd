// Gmail: mailboxes with their send-as addresses, drafts that can be sent once, and mail that left.

import { randomBytes } from "node:crypto";
import { discovery } from "./discovery.mjs";
import { header, payload, readings, withHeaders } from "./mail.mjs";
import { absent, ApiError, gmailEnvelope, invalid, parseJson } from "./rpc.mjs";
import { search } from "./search.mjs";
import { symptomError } from "./symptoms.mjs";
import { scope } from "./tokens.mjs";
import { messageOf } from "./upload.mjs";

const METADATA_SCOPE = scope("gmail.metadata");

// What a call costs of a mailbox's minute (new projects, since May 2026).
const UNITS = {
  "messages.send": 100, "drafts.send": 100, "drafts.create": 10, "drafts.update": 15,
  "drafts.delete": 10, "messages.get": 20, "threads.get": 40, getProfile: 1,
  "settings.sendAs.list": 1, "settings.sendAs.get": 1,
};
const OTHER_UNITS = 5;

const notFound = () => new ApiError("NOT_FOUND", "Requested entity was not found.");
const newId = () => randomBytes(8).toString("hex");
const same = (a, b) => a.toLowerCase() === b.toLowerCase();

class Mailbox {
  messages = new Map(); // id → message
  drafts = new Map(); // id → { id, message }
  mails = []; // what left, in order
  historyId = 1000n;
  spent = []; // [time, units] of the last minute

  constructor(email, { name = "", signature = "", sendAs } = {}) {
    this.email = email;
    this.sendAs = sendAs ?? [{
      sendAsEmail: email, displayName: name, replyToAddress: "", signature, isPrimary: true,
      isDefault: true,
    }];
  }

  add(message) {
    message.historyId = String(++this.historyId);
    this.messages.set(message.id, message);
    return message;
  }

  thread(id) {
    return [...this.messages.values()].filter((message) => message.threadId === id);
  }
}

export class Gmail {
  name = "gmail";
  discovery = discovery("gmail.v1");
  #world;

  constructor(world) {
    this.#world = world;
    this.reset();
  }

  // Mailboxes as the settings describe them, empty.
  reset() {
    const { mailboxes, settings } = this.#world;
    mailboxes.clear();
    for (const [email, about] of Object.entries(settings.mailboxes)) {
      mailboxes.set(email.toLowerCase(), new Mailbox(email, about));
    }
  }

  route(call) {
    const [hit] = this.discovery.match(call.http, call.decodedPath());
    if (!hit) throw new ApiError("NOT_FOUND", "Method not found.");
    call.matched = hit;
    call.method = hit.method.id;
    const token = this.#world.tokens.find(call);
    if (token?.kind === "mailbox") call.mailbox = token.who;
  }

  async answer(call) {
    const { method, variables } = call.matched;
    const word = call.method.replace("gmail.users.", "");
    const serve = this.#methods[word];
    if (!serve) throw absent(call.method);
    const query = this.discovery.checkQuery(method, call.query);
    const token = this.#world.tokens.check(call, method.scopes);
    const box = this.#mailbox(call, token, variables.userId);
    this.#spend(box, UNITS[word] ?? OTHER_UNITS);
    const { json: resource, message: bytes } = this.#body(call);
    const answer = await serve.call(this, { box, query, token, variables, resource, bytes, call });
    return answer === undefined ? { status: 204, text: "" } : { json: answer };
  }

  #body(call) {
    const { method } = call.matched;
    if (method.isUpload) return messageOf(call, this.discovery);
    if (!method.request) {
      if (call.body.length > 0) throw invalid(`${call.method} takes no body.`);
      return {};
    }
    const most = this.#world.settings.jsonBytes;
    if (call.body.length > most) {
      throw invalid(`Request payload size exceeds the limit: ${most} bytes.`);
    }
    const json = parseJson(call);
    this.discovery.checkBody(method, json);
    const { raw } = (method.request.$ref === "Draft" ? json.message : json) ?? {};
    if (raw !== undefined && /[+/]/.test(raw)) throw invalid("Invalid value for ByteString");
    return { json, message: raw && Buffer.from(raw, "base64url") };
  }

  #mailbox(call, token, userId) {
    const { settings, mailboxes } = this.#world;
    if (token.kind !== "mailbox") throw symptomError("gmail_precondition_failed", settings);
    if (call.headers["x-goog-user-project"]) {
      throw symptomError("iam_user_project_denied", settings); // the user has no right on a project
    }
    if (userId !== "me" && !same(userId, token.who)) {
      throw new ApiError("PERMISSION_DENIED", `Delegation denied for ${userId}`,
        { reason: "forbidden" });
    }
    const box = mailboxes.get(token.who);
    if (!box) throw symptomError("gmail_mail_service_not_enabled", settings);
    return box;
  }

  #spend(box, units) {
    const { settings, now } = this.#world;
    box.spent = box.spent.filter(([at]) => at > now() - 60_000);
    const used = box.spent.reduce((sum, [, spent]) => sum + spent, 0);
    if (used + units > settings.unitsPerMinute) {
      throw symptomError("gmail_quota_metric", settings);
    }
    box.spent.push([now(), units]);
  }

  // --- messages ---------------------------------------------------------------------------------

  async #parsed(bytes, call) {
    if (!bytes?.length) {
      throw invalid("'raw' RFC822 payload message string or uploading message via /upload/* URL " +
        "required");
    }
    const { read, disputed } = await readings(bytes);
    for (const field of disputed) {
      const seen = Object.values(read).map((mail) => JSON.stringify(mail[field])).join(" or ");
      this.#world.problem(call, `the parsers do not agree on ${field}: ${seen}`);
    }
    return { bytes, read };
  }

  #message(box, parsed, labelIds, threadId) {
    const id = newId();
    return {
      id, threadId: threadId ?? id, labelIds, at: this.#world.now(), bytes: parsed.bytes,
      read: parsed.read, mail: parsed.read.mailparser,
    };
  }

  // A reply joins the thread that it names if subject and references say so as well.
  #thread(box, threadId, bytes) {
    if (!threadId) return undefined;
    const thread = box.thread(threadId);
    if (thread.length === 0) throw notFound();
    const bare = (text) => (text ?? "").replace(/^((re|fwd?|aw):\s*)+/i, "").trim();
    const named = `${header(bytes, "In-Reply-To") ?? ""} ${header(bytes, "References") ?? ""}`;
    const fits = thread.some((message) =>
      bare(header(message.bytes, "Subject")) === bare(header(bytes, "Subject")) &&
      named.includes(header(message.bytes, "Message-ID") ?? "\0"));
    return fits ? threadId : undefined;
  }

  #recipients(mail) {
    const all = [];
    for (const [name, list] of [["To", mail.to], ["Cc", mail.cc], ["Bcc", mail.bcc]]) {
      for (const { address } of list) {
        if (!/^[^@\s]+@[^@\s]+$|^".*"@[^@\s]+$/.test(address ?? "")) {
          throw invalid(`Invalid ${name} header`);
        }
        all.push(address);
      }
    }
    if (all.length === 0) throw invalid("Recipient address required");
    return all;
  }

  // From this line on it has left: everything that can fail comes before.
  #deliver(box, parsed, { threadId, draft } = {}) {
    const { settings, now } = this.#world;
    const recipients = this.#recipients(parsed.read.mailparser);
    const asked = parsed.read.mailparser.from[0]?.address;
    const usable = box.sendAs.filter(({ verificationStatus: v }) => !v || v === "accepted");
    const sender = usable.find(({ sendAsEmail }) => asked && same(sendAsEmail, asked));
    const changes = {};
    if (!sender) {
      const { sendAsEmail, displayName } = usable.find(({ isDefault }) => isDefault) ?? usable[0];
      changes.From = displayName ? `${JSON.stringify(displayName)} <${sendAsEmail}>` : sendAsEmail;
    }
    if (!settings.keepMessageId) {
      changes["Message-ID"] = `<CA${randomBytes(24).toString("base64url")}@mail.gmail.com>`;
    }
    if (!header(parsed.bytes, "Date")) {
      changes.Date = new Date(now()).toUTCString().replace("GMT", "+0000");
    }
    const bytes = withHeaders(parsed.bytes, changes);
    const message = this.#message(box, { ...parsed, bytes }, ["SENT"], threadId);
    box.add(message);
    box.mails.push({
      id: message.id, threadId: message.threadId, draftId: draft?.id ?? null, at: message.at,
      from: sender?.sendAsEmail ?? changes.From, asked, recipients, read: parsed.read,
      submitted: parsed.bytes, delivered: withHeaders(bytes, { Bcc: null }),
    });
    return { id: message.id, threadId: message.threadId, labelIds: message.labelIds };
  }

  #shown(message, { format = "full", metadataHeaders }, token) {
    if (token.scopes.has(METADATA_SCOPE) && (format === "full" || format === "raw")) {
      throw new ApiError("PERMISSION_DENIED",
        `Metadata scope doesn't allow format ${format.toUpperCase()}`, { reason: "forbidden" });
    }
    const { id, threadId, labelIds, historyId, bytes, at, mail } = message;
    return {
      id, threadId, labelIds, historyId, internalDate: String(at), sizeEstimate: bytes.length,
      snippet: mail.text.replace(/\s+/g, " ").trim().slice(0, 100),
      ...(format === "raw" && { raw: bytes.toString("base64url") }),
      ...(format === "metadata" && { payload: payload(bytes, { names: metadataHeaders }) }),
      ...(format === "full" && { payload: payload(bytes, { deep: true }) }),
    };
  }

  #page(items, { maxResults = "100", pageToken }) {
    const from = pageToken ? Number(Buffer.from(pageToken, "base64url").toString()) : 0;
    const size = Math.min(Number(maxResults), 500);
    if (!Number.isInteger(from) || size < 1) throw invalid("Invalid pageToken or maxResults");
    const next = from + size < items.length
      ? Buffer.from(String(from + size)).toString("base64url") : undefined;
    return {
      page: items.slice(from, from + size),
      more: { ...(next && { nextPageToken: next }), resultSizeEstimate: items.length },
    };
  }

  #found(messages, { q, labelIds = [], includeSpamTrash }, token) {
    if (q && token.scopes.has(METADATA_SCOPE)) {
      throw new ApiError("PERMISSION_DENIED", "Metadata scope does not support 'q' parameter",
        { reason: "forbidden" });
    }
    const { settings, now } = this.#world;
    const indexed = messages.filter(({ at }) => !q || at <= now() - settings.searchLagMs);
    return search(indexed, q ?? "", now())
      .filter((message) => labelIds.every((label) => message.labelIds.includes(label)))
      .filter(({ labelIds: has }) => includeSpamTrash === "true" ||
        !(has.includes("TRASH") || has.includes("SPAM")))
      .reverse();
  }

  #draft(box, id) {
    const draft = box.drafts.get(id);
    if (!draft) throw notFound();
    return draft;
  }

  #methods = {
    async "messages.send"({ box, resource, bytes, call }) {
      const parsed = await this.#parsed(bytes, call);
      return this.#deliver(box, parsed, { threadId: this.#thread(box, resource?.threadId, bytes) });
    },

    "messages.get"({ box, variables, query, token }) {
      const message = box.messages.get(variables.id);
      if (!message) throw notFound();
      return this.#shown(message, query, token);
    },

    "messages.list"({ box, query, token }) {
      const { page, more } = this.#page(this.#found([...box.messages.values()], query, token), query);
      const messages = page.map(({ id, threadId }) => ({ id, threadId }));
      return { ...(messages.length && { messages }), ...more };
    },

    "threads.get"({ box, variables, query, token }) {
      const thread = box.thread(variables.id);
      if (thread.length === 0) throw notFound();
      if (query.format === "raw") throw invalid("Invalid value for format: raw");
      return {
        id: variables.id, historyId: String(box.historyId),
        messages: thread.map((message) => this.#shown(message, query, token)),
      };
    },

    async "drafts.create"({ box, resource, bytes, call }) {
      const parsed = await this.#parsed(bytes, call);
      const threadId = this.#thread(box, resource?.message?.threadId, bytes);
      const message = box.add(this.#message(box, parsed, ["DRAFT"], threadId));
      const id = `r-${BigInt(`0x${newId()}`) >> 1n}`;
      box.drafts.set(id, { id, message });
      return { id, message: { id: message.id, threadId: message.threadId, labelIds: ["DRAFT"] } };
    },

    async "drafts.update"({ box, variables, resource, bytes, call }) {
      const parsed = await this.#parsed(bytes, call);
      const draft = this.#draft(box, variables.id);
      const threadId = this.#thread(box, resource?.message?.threadId, bytes);
      box.messages.delete(draft.message.id);
      draft.message = box.add(this.#message(box, parsed, ["DRAFT"], threadId));
      const { id, threadId: thread, labelIds } = draft.message;
      return { id: draft.id, message: { id, threadId: thread, labelIds } };
    },

    "drafts.get"({ box, variables, query, token }) {
      const { id, message } = this.#draft(box, variables.id);
      return { id, message: this.#shown(message, query, token) };
    },

    "drafts.list"({ box, query, token }) {
      const drafts = [...box.drafts.values()];
      const found = this.#found(drafts.map(({ message }) => message), query, token);
      const { page, more } = this.#page(found, query);
      const shown = page.map((message) => ({
        id: drafts.find((draft) => draft.message === message).id,
        message: { id: message.id, threadId: message.threadId },
      }));
      return { ...(shown.length && { drafts: shown }), ...more };
    },

    "drafts.delete"({ box, variables }) {
      const draft = this.#draft(box, variables.id);
      box.drafts.delete(draft.id);
      box.messages.delete(draft.message.id);
    },

    // Once only: what is looked up here is gone before anything else can run.
    async "drafts.send"({ box, resource, bytes, call }) {
      if (!resource?.id) throw invalid("Missing draft id");
      const changed = bytes && await this.#parsed(bytes, call);
      const draft = this.#draft(box, resource.id);
      const parsed = changed ?? draft.message;
      const sent = this.#deliver(box, parsed, { threadId: draft.message.threadId, draft });
      box.drafts.delete(draft.id);
      box.messages.delete(draft.message.id);
      return sent;
    },

    "settings.sendAs.list": ({ box }) => ({ sendAs: box.sendAs }),

    "settings.sendAs.get"({ box, variables }) {
      const found = box.sendAs.find(({ sendAsEmail }) => same(sendAsEmail, variables.sendAsEmail));
      if (!found) throw notFound();
      return found;
    },

    getProfile: ({ box }) => ({
      emailAddress: box.email, messagesTotal: box.messages.size,
      threadsTotal: new Set([...box.messages.values()].map(({ threadId }) => threadId)).size,
      historyId: String(box.historyId),
    }),
  };

  refuse(error) {
    return { status: error.http, json: gmailEnvelope(error), headers: error.headers };
  }

  // --- for the tests ----------------------------------------------------------------------------

  // Somebody's mail arrives in a mailbox.
  async receive(email, bytes) {
    const { read } = await readings(bytes);
    const box = this.#world.mailboxes.get(email.toLowerCase());
    const message = box.add(this.#message(box, { bytes, read }, ["INBOX", "UNREAD"]));
    return { id: message.id, threadId: message.threadId };
  }
}
