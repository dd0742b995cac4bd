// The metadata server of Cloud Run.

import { idToken } from "./jwt.mjs";
import { ApiError, invalid } from "./rpc.mjs";
import { CLOUD_PLATFORM } from "./tokens.mjs";

const ROOT = "/computeMetadata/v1/";
// It keeps a token until so long before the end: asking earlier gives the same one.
const KEPT_UNTIL_SECONDS = 240;

export class Metadata {
  name = "metadata";
  #world;
  #kept = new Map();

  constructor(world) {
    this.#world = world;
  }

  route(call) {
    if (!call.path.startsWith(ROOT)) throw new ApiError("NOT_FOUND", "Not Found");
    const path = call.path.slice(ROOT.length);
    call.method = `metadata.${path.replace(/^instance\/service-accounts\/[^/]+\//, "")
      .replace(/\/$/, "").replaceAll("/", ".") || "account"}`;
  }

  async answer(call) {
    if (call.headers["metadata-flavor"] !== "Google") {
      throw new ApiError("PERMISSION_DENIED", "Missing Metadata-Flavor:Google header.");
    }
    if (call.headers["x-forwarded-for"]) {
      throw new ApiError("PERMISSION_DENIED", "X-Forwarded-For header present in request.");
    }
    if (call.http !== "GET") throw new ApiError("INVALID_ARGUMENT", "GET alone.", { http: 405 });
    const value = await this.#value(call.path.slice(ROOT.length), call);
    if (value === undefined) throw new ApiError("NOT_FOUND", `${call.path} not found`);
    return typeof value === "string" ? { text: value } : { json: value };
  }

  #value(path, call) {
    const { settings } = this.#world;
    const account = /^instance\/service-accounts\/([^/]+)\/(.*)$/.exec(path);
    if (account) {
      if (!["default", settings.serviceAccount].includes(account[1])) return undefined;
      call.who = settings.serviceAccount;
      return this.#account(account[2], call.query);
    }
    return {
      "instance": "service-accounts/\nregion\nid\n",
      "project/project-id": settings.project,
      "project/numeric-project-id": settings.projectNumber,
      "universe/universe-domain": "googleapis.com",
      "instance/region": `projects/${settings.projectNumber}/regions/${settings.region}`,
      "instance/id": "00f46b9285c6d3e7a0",
    }[path];
  }

  #account(what, query) {
    const { serviceAccount } = this.#world.settings;
    if (what === "token") return this.#token(query.get("scopes"));
    if (what === "email") return serviceAccount;
    if (what === "identity") {
      if (!query.get("audience")) throw invalid("non-empty audience parameter required");
      return idToken(this.#world, query.get("audience"), query.get("format") === "full");
    }
    if (what === "" && query.get("recursive") === "true") {
      return { aliases: ["default"], email: serviceAccount, scopes: [CLOUD_PLATFORM] };
    }
    return undefined;
  }

  #token(asked) {
    const { settings, tokens } = this.#world;
    const scopes = asked ? asked.split(",") : [CLOUD_PLATFORM];
    const key = scopes.join(" ");
    let token = this.#kept.get(key);
    if (!token || !tokens.isValid(token) || tokens.secondsLeft(token) <= KEPT_UNTIL_SECONDS) {
      token = tokens.issue("service", settings.serviceAccount, scopes, settings.tokenSeconds);
      this.#kept.set(key, token);
    }
    return {
      access_token: token.text, expires_in: tokens.secondsLeft(token), token_type: "Bearer",
    };
  }

  headers = { "Metadata-Flavor": "Google", Server: "Metadata Server for Serverless" };

  refuse(error) {
    return { status: error.http, text: `${error.message}\n`, headers: error.headers };
  }
}
