// JSON Web Tokens, signed with the one key of this world.

import { sign } from "node:crypto";
import { secret } from "./secrets.mjs";

const ID_TOKEN_SECONDS = 3600;

const part = (text) => Buffer.from(text).toString("base64url");

// { keyId, jwt } of a payload, which is text.
export async function signed(world, payload) {
  const { privateKey, keyId } = await world.key;
  const text = `${part(JSON.stringify({ alg: "RS256", kid: keyId, typ: "JWT" }))}.${part(payload)}`;
  const signature = sign("RSA-SHA256", Buffer.from(text), privateKey).toString("base64url");
  return { keyId, jwt: secret(`${text}.${signature}`) };
}

// Google's word on who the service account is.
export async function idToken(world, audience, withEmail) {
  const { uniqueId, serviceAccount } = world.settings;
  const iat = Math.floor(world.now() / 1000);
  const { jwt } = await signed(world, JSON.stringify({
    aud: audience, azp: uniqueId, exp: iat + ID_TOKEN_SECONDS, iat,
    iss: "https://accounts.google.com", sub: uniqueId,
    ...(withEmail && { email: serviceAccount, email_verified: true }),
  }));
  return jwt;
}
