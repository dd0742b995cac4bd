// IAM Credentials: signJwt with a key that nobody ever sees, and tokens of the service account.

import { discovery } from "./discovery.mjs";
import { idToken, signed } from "./jwt.mjs";
import { absent, ApiError, errorInfo, invalid, parseJson, rpcEnvelope } from "./rpc.mjs";
import { symptomError } from "./symptoms.mjs";
import { scope, CLOUD_PLATFORM } from "./tokens.mjs";

const MAX_LIFE_SECONDS = 12 * 3600;
const MAX_TOKEN_SECONDS = 3600;

export class Iam {
  name = "iamcredentials";
  discovery = discovery("iamcredentials.v1");
  #world;

  constructor(world) {
    this.#world = world;
  }

  route(call) {
    const [hit] = this.discovery.match(call.http, call.decodedPath());
    if (!hit) throw new ApiError("NOT_FOUND", "Method not found.");
    call.matched = hit;
    call.method = hit.method.id;
  }

  async answer(call) {
    const { method, variables } = call.matched;
    const serve = this.#methods[call.method.split(".").at(-1)];
    if (!serve) throw absent(call.method);
    this.discovery.checkQuery(method, call.query);
    const token = this.#world.tokens.check(call, [CLOUD_PLATFORM, scope("iam")]);
    const body = parseJson(call);
    this.discovery.checkBody(method, body);
    this.#mayUseProject(call, token);
    const account = this.#account(variables.name, token);
    for (const delegate of body.delegates ?? []) {
      if (!/^projects\/-\/serviceAccounts\/[^/]+$/.test(delegate)) {
        throw invalid(`Invalid form of delegate: ${delegate}`);
      }
      throw this.#denied(); // no chain is set up
    }
    return { json: await serve.call(this, { account, body, call }) };
  }

  #methods = {
    async signJwt({ account, body, call }) {
      call.mailbox = this.#claims(body.payload).sub ?? null;
      const { keyId, jwt } = await signed(this.#world, body.payload);
      this.#world.signers.set(keyId, account);
      return { keyId, signedJwt: jwt };
    },

    generateAccessToken({ account, body }) {
      if (!body.scope?.length) throw invalid("Request contains an invalid argument: no scope.");
      const seconds = Number(/^(\d+)s$/.exec(body.lifetime ?? "3600s")?.[1]);
      if (!(seconds > 0 && seconds <= MAX_TOKEN_SECONDS)) {
        throw invalid("Request contains an invalid argument: lifetime is at most 3600s.");
      }
      const token = this.#world.tokens.issue("service", account, body.scope, seconds);
      return { accessToken: token.text, expireTime: new Date(token.until).toISOString() };
    },

    async generateIdToken({ body }) {
      if (!body.audience) throw invalid("Request contains an invalid argument: no audience.");
      return { token: await idToken(this.#world, body.audience, body.includeEmail) };
    },
  };

  #denied() {
    return symptomError("iam_permission_denied", this.#world.settings);
  }

  #account(name, token) {
    const { settings } = this.#world;
    const [, project, account] = /^projects\/([^/]+)\/serviceAccounts\/([^/]+)$/.exec(name);
    if (project !== "-") throw invalid("Invalid form of account ID. The project must be '-'.");
    const known = [settings.serviceAccount, settings.uniqueId].includes(account);
    if (!known || !settings.tokenCreators.includes(token.who)) throw this.#denied();
    return settings.serviceAccount;
  }

  // Whose quota a laptop's call counts against must be said (FACTS of gcloud's own client).
  #mayUseProject(call, token) {
    const { settings } = this.#world;
    const project = call.headers["x-goog-user-project"];
    if (token.kind === "user" && !project) throw symptomError("iam_end_user_credentials", settings);
    if (project && (project !== settings.project || !settings.laptop.mayUseProject)) {
      throw symptomError("iam_user_project_denied", settings);
    }
  }

  #claims(payload) {
    let claims;
    try {
      claims = JSON.parse(payload);
    } catch {
      throw invalid("Request contains an invalid argument: payload is not JSON.");
    }
    if (typeof claims !== "object" || claims === null || Array.isArray(claims)) {
      throw invalid("Request contains an invalid argument: payload is not a JSON object.");
    }
    const now = Math.floor(this.#world.now() / 1000);
    if (claims.exp !== undefined && (!Number.isInteger(claims.exp) || claims.exp <= now ||
        claims.exp > now + MAX_LIFE_SECONDS)) {
      throw invalid("Request contains an invalid argument: exp must be an integer, in the " +
        "future, and at most 12 hours ahead.");
    }
    return claims;
  }

  refuse(error) {
    return { status: error.http, json: rpcEnvelope(error), headers: error.headers };
  }
}
