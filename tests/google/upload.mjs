// Uploads to Gmail: the message as it is (media), or behind its resource (multipart/related).

import { absent, ApiError, invalid } from "./rpc.mjs";

const MAX_BYTES = 36_700_160;

export function messageOf(call, discovery) {
  const { method } = call.matched;
  const kind = call.query.get("uploadType");
  if (call.body.length > MAX_BYTES) {
    throw new ApiError("INVALID_ARGUMENT", "Request Entity Too Large",
      { http: 413, reason: "uploadTooLarge" });
  }
  const type = call.headers["content-type"] ?? "";
  if (kind === "media") {
    isMessage(type);
    return { message: call.body };
  }
  if (kind === "resumable") throw absent("resumable uploads");
  if (kind !== "multipart") throw invalid(`Invalid upload type: ${kind}`);
  const [resource, media, ...more] = related(type, call.body);
  if (!media || more.length > 0) throw invalid("An upload has two parts: resource and message.");
  if (!/^application\/json\s*(;|$)/i.test(resource.type)) {
    throw invalid(`The first part must be application/json, not '${resource.type}'.`);
  }
  isMessage(media.type);
  let json;
  try {
    json = JSON.parse(resource.body.toString("utf8"));
  } catch (error) {
    throw invalid(`Invalid JSON payload received. ${error.message}`);
  }
  discovery.checkBody(method, json);
  return { json, message: media.body };
}

function isMessage(type) {
  if (!/^message\/[\w.+-]+\s*(;|$)/i.test(type)) {
    throw new ApiError("INVALID_ARGUMENT",
      `Media type '${type}' is not supported. Valid media types: [message/*]`,
      { reason: "badContent" });
  }
}

// The parts of multipart/related (RFC 2046 §5.1.1).
function related(type, bytes) {
  const boundary = /^multipart\/related\s*;.*?\bboundary="?([^";]{1,70})"?/i.exec(type)?.[1];
  if (!boundary) throw invalid(`An upload must be multipart/related, not '${type}'.`);
  const text = `\r\n${bytes.toString("latin1")}`;
  const [, ...pieces] = text.split(`\r\n--${boundary}`);
  if (!/^--(\r\n|$)/.test(pieces.pop() ?? "")) throw invalid("Missing end boundary in multipart body.");
  return pieces.map((piece) => {
    const hit = /^[ \t]*\r\n((?:[^\r\n]+\r\n)*)\r\n/.exec(piece);
    if (!hit) throw invalid("Failed to parse a part of the multipart body.");
    const field = (name) => new RegExp(`^${name}:[ \\t]*(.*)$`, "im").exec(hit[1])?.[1].trim();
    const body = Buffer.from(piece.slice(hit[0].length), "latin1");
    const isBase64 = /^base64$/i.test(field("Content-Transfer-Encoding") ?? "");
    return {
      type: field("Content-Type") ?? "",
      body: isBase64 ? Buffer.from(body.toString("latin1"), "base64") : body,
    };
  });
}
