// How Google's APIs say no, and the parts of a call that all of them share.

// google/rpc/code.proto: the word, its number, the HTTP status it becomes.
export const CODES = {
  OK: [0, 200], CANCELLED: [1, 499], UNKNOWN: [2, 500], INVALID_ARGUMENT: [3, 400],
  DEADLINE_EXCEEDED: [4, 504], NOT_FOUND: [5, 404], ALREADY_EXISTS: [6, 409],
  PERMISSION_DENIED: [7, 403], RESOURCE_EXHAUSTED: [8, 429], FAILED_PRECONDITION: [9, 400],
  ABORTED: [10, 409], OUT_OF_RANGE: [11, 400], UNIMPLEMENTED: [12, 501], INTERNAL: [13, 500],
  UNAVAILABLE: [14, 503], DATA_LOSS: [15, 500], UNAUTHENTICATED: [16, 401],
};

const WORD_OF = {
  400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND",
  409: "ABORTED", 429: "RESOURCE_EXHAUSTED", 499: "CANCELLED", 500: "INTERNAL",
  501: "UNIMPLEMENTED", 503: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED",
};

// A refusal. `code` is a word of CODES; `reason` and `domain` are those of the older envelope,
// `details` of the newer. Each API renders it in its own dialect.
export class ApiError extends Error {
  constructor(code, message, { http, reason, domain, location, details, headers } = {}) {
    super(message);
    Object.assign(this, { code, reason, domain, location, details, headers });
    this.http = http ?? CODES[code]?.[1] ?? 500;
  }

  // What a fault with a bare HTTP status stands for.
  static ofStatus(http, { reason, message, domain } = {}) {
    const word = WORD_OF[http] ?? "UNKNOWN";
    return new ApiError(word, message ?? `A fault was asked for: ${http}`, { http, reason, domain });
  }
}

export const invalid = (message, details) => new ApiError("INVALID_ARGUMENT", message, { details });
export const absent = (what) =>
  new ApiError("UNIMPLEMENTED", `The stand-in for Google does not have ${what}.`);

export function errorInfo(reason, domain, metadata) {
  return [{ "@type": "type.googleapis.com/google.rpc.ErrorInfo", reason, domain, metadata }];
}

// The google.rpc envelope.
export function rpcEnvelope({ http, message, code, details }) {
  return { error: { code: http, message, status: code, ...(details && { details }) } };
}

// Both envelopes in one, as Gmail's front end answers.
export function gmailEnvelope(error) {
  const { message, reason, domain = "global", location } = error;
  const envelope = rpcEnvelope(error);
  envelope.error.errors = [{
    message, domain, reason: reason ?? OLD_REASON[error.code] ?? "backendError",
    ...(location && { location, locationType: "header" }),
  }];
  return envelope;
}

const OLD_REASON = {
  INVALID_ARGUMENT: "invalidArgument", FAILED_PRECONDITION: "failedPrecondition",
  NOT_FOUND: "notFound", PERMISSION_DENIED: "forbidden", UNAUTHENTICATED: "authError",
  RESOURCE_EXHAUSTED: "rateLimitExceeded", UNIMPLEMENTED: "notImplemented",
};

// A body that must be JSON (or nothing at all).
export function parseJson(call) {
  const type = call.headers["content-type"] ?? "";
  if (!/^application\/json\s*(;|$)/i.test(type)) {
    throw invalid(`A JSON body needs Content-Type: application/json, not '${type}'.`);
  }
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(call.body));
  } catch (error) {
    throw invalid(`Invalid JSON payload received. ${error.message}`);
  }
}

// The JSON answer cut down to what the standard parameter `fields` names: a,b/c,d(e,f),*.
export function partial(value, fields) {
  let at = 0;
  const list = () => {
    const mask = {};
    do {
      const name = /[^,/()]*/y;
      name.lastIndex = at;
      const [word] = name.exec(fields);
      if (!word) throw invalid(`Invalid field selection ${fields}`);
      at += word.length;
      mask[word] = rest();
    } while (fields[at] === "," && ++at);
    return mask;
  };
  const rest = () => {
    if (fields[at] === "/") {
      at++;
      const name = /[^,/()]*/y;
      name.lastIndex = at;
      const [word] = name.exec(fields);
      at += word.length;
      return { [word]: rest() };
    }
    if (fields[at] !== "(") return null;
    at++;
    const mask = list();
    if (fields[at++] !== ")") throw invalid(`Invalid field selection ${fields}`);
    return mask;
  };
  const mask = list();
  if (at < fields.length) throw invalid(`Invalid field selection ${fields}`);
  return keep(value, mask);
}

function keep(value, mask) {
  if (mask === null || typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => keep(item, mask));
  const kept = {};
  for (const name of Object.keys(value)) {
    const inner = name in mask ? mask[name] : mask["*"];
    if (inner !== undefined) kept[name] = keep(value[name], inner);
  }
  return kept;
}
