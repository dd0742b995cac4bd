// One API on a port of its own: reads a request, lets the API answer it, writes the answer, and
// does to it what a fault asks for.

import { once } from "node:events";
import http from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { ApiError, invalid, partial } from "./rpc.mjs";

const MAX_BODY_BYTES = 64 * 1024 * 1024;
const HOST = "127.0.0.1";
const BACKLOG = 2048;
const SLOW_PIECES = 10;

// A request on its way through: what the log shows, and what the API needs of it.
class Call {
  method = null; // id, as the discovery documents name it
  who = null; // whose token
  mailbox = null;
  fault = null;
  status = null; // 0: no answer was given
  ended = false;

  constructor(n, api, request, body, at) {
    const url = new URL(request.url, "http://stand-in");
    Object.assign(this, {
      n, api: api.name, http: request.method, path: url.pathname, query: url.searchParams,
      headers: request.headers, body, at, request: `${request.method} ${request.url}`,
    });
  }

  decodedPath() {
    if (/%2f/i.test(this.path)) throw invalid("A segment of the path may not contain '/'.");
    try {
      return decodeURIComponent(this.path);
    } catch {
      throw invalid("The path is not percent-encoded UTF-8.");
    }
  }

  // The body, as the log shows it.
  get json() {
    try {
      return JSON.parse(this.body.toString("utf8"));
    } catch {
      return undefined;
    }
  }
}

async function readBody(request) {
  const pieces = [];
  let size = 0;
  for await (const piece of request) {
    size += piece.length;
    if (size <= MAX_BODY_BYTES) pieces.push(piece);
  }
  if (size > MAX_BODY_BYTES) throw new ApiError("INVALID_ARGUMENT", "Too large.", { http: 413 });
  return Buffer.concat(pieces);
}

export class Wire {
  #world;
  #api;
  #server;

  constructor(world, api) {
    this.#world = world;
    this.#api = api;
    this.#server = http.createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
      this.#serve(request, response).catch((error) => {
        if (!response.destroyed) throw error;
      });
    });
    this.#server.on("connection", (socket) => {
      const fault = world.faults.takeConnect(api.name);
      if (fault) cut(socket, fault);
    });
  }

  async listen(port) {
    this.#server.listen({ port, host: HOST, backlog: BACKLOG });
    await once(this.#server, "listening");
    this.port = this.#server.address().port;
    this.address = `${HOST}:${this.port}`;
    this.url = `http://${this.address}`;
  }

  closeIdle() {
    this.#server.closeIdleConnections();
  }

  async close() {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, "close");
  }

  async #serve(request, response) {
    const { world } = { world: this.#world };
    const body = await readBody(request);
    const call = world.arrived(new Call(world.nextNumber(), this.#api, request, body, world.now()));
    const answer = await this.#exchange(call, request);
    if (!answer) {
      call.status = 0;
      if (call.fault.kind === "cut") cut(request.socket, call.fault);
      world.ended(call);
      return; // "hang": the connection stays, until the stand-in stops
    }
    call.status = answer.status ?? 200;
    await this.#write(call, answer, response);
    world.ended(call);
  }

  // The answer, or null where a fault says that there is none.
  async #exchange(call, request) {
    const { faults } = this.#world;
    try {
      this.#checkFraming(call, request);
      this.#api.route(call);
    } catch (error) {
      call.method ??= `${call.api}.unknown`;
      return this.#refusal(error, call);
    }
    this.#world.seen(call);
    const fault = call.fault = faults.take(call);
    const hits = (kind, when) => fault?.kind === kind && fault.when === when;
    if (hits("delay", "before")) await sleep(fault.ms);
    if (hits("cut", "before") || hits("hang", "before")) return null;
    if (hits("answer", "before")) return faults.answer(fault, this.#api, call);
    if (fault?.kind === "mutate") return this.#mutated(call, fault);
    const answer = await this.#answer(call);
    if (hits("delay", "after")) await sleep(fault.ms);
    if (hits("cut", "after") || hits("hang", "after")) return null;
    if (hits("answer", "after")) return faults.answer(fault, this.#api, call);
    return answer;
  }

  async #answer(call) {
    try {
      const answer = await this.#api.answer(call);
      const { method } = call.matched ?? {};
      if (answer.json && method) this.#api.discovery.checkAnswer(method, answer.json);
      const fields = call.query.get("fields");
      if (answer.json && fields) answer.json = partial(answer.json, fields);
      return answer;
    } catch (error) {
      return this.#refusal(error, call);
    }
  }

  // The answer of which #write() makes another.
  async #mutated(call, fault) {
    const plan = call.mutation = fault.mutations.plan();
    if (!plan) return this.#answer(call);
    fault.mutated++;
    const answer = plan.processed ? await this.#answer(call)
      : this.#api.refuse(ApiError.ofStatus(plan.status, {}), call);
    return { ...answer, status: plan.status ?? answer.status };
  }

  #refusal(error, call) {
    if (!(error instanceof ApiError)) {
      this.#world.problem(call, `the stand-in failed: ${error.stack}`);
      error = new ApiError("INTERNAL", `The stand-in failed: ${error.message}`);
    }
    call.error = error.message;
    return this.#api.refuse(error, call);
  }

  // What Google's front end insists on.
  #checkFraming(call, request) {
    if (/^(POST|PUT|PATCH)$/.test(call.http) && !request.headers["content-length"] &&
        !request.headers["transfer-encoding"]) {
      throw new ApiError("INVALID_ARGUMENT", "POST requests require a Content-length header.",
        { http: 411 });
    }
    if (call.headers["content-encoding"]) throw invalid("Content-Encoding is not expected.");
    for (const name of ["access_token", "key", "oauth_token"]) {
      if (call.query.has(name)) throw invalid(`Credentials belong in a header, not in ${name}=.`);
    }
    if (!/^json(;|$)/.test(call.query.get("alt") ?? "json")) throw invalid("alt=json alone.");
  }

  async #write(call, answer, response) {
    const pretty = call.query.get("prettyPrint") === "false" ? undefined : 2;
    const isJson = answer.json !== undefined;
    const bytes = Buffer.from(isJson ? JSON.stringify(answer.json, null, pretty) : answer.text ?? "");
    const type = isJson ? "application/json; charset=UTF-8" : "text/html; charset=UTF-8";
    const headers = {
      ...(bytes.length && { "Content-Type": answer.type ?? type }), ...this.#api.headers,
      ...answer.headers,
    };
    if (call.status !== 204) headers["Content-Length"] = bytes.length;
    if (call.mutation) {
      response.socket?.end(call.fault.mutations.answer(call.status, headers, bytes));
      return;
    }
    response.writeHead(call.status, headers);
    const { kind, ms } = call.fault ?? {};
    if (kind === "truncate") {
      response.write(bytes.subarray(0, Math.floor(bytes.length / 2)), () => response.destroy());
      return;
    }
    if (kind === "slow") {
      const step = Math.ceil(bytes.length / SLOW_PIECES);
      for (let at = 0; at < bytes.length && !response.destroyed; at += step) {
        await sleep(ms / SLOW_PIECES);
        response.write(bytes.subarray(at, at + step));
      }
    }
    response.end(kind === "slow" ? undefined : bytes);
  }
}

function cut(socket, { reset }) {
  if (reset) socket.resetAndDestroy();
  else socket.destroy();
}
