// Secrets in play: whatever the stand-in gives out or is shown, and whatever a test holds. Nobody who
// gets to know one may tell it, in a log or in an answer (../e2e/lib/disclosure.mjs).

const LEAST = 12; // characters; what is shorter is found by chance
const PUBLIC = "SIGNATURE_REMOVED_BY_GOOGLE"; // what Cloud Run leaves of a token it has checked

export const secrets = new Set();

// From now on this is a secret, and so is each part of a token. Returns it.
export function secret(text) {
  for (const part of [text, ...text.split(".")]) {
    if (part.length >= LEAST && part !== PUBLIC) secrets.add(part);
  }
  return text;
}
