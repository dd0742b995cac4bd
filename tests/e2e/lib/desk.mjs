// A desk as a reviewer finds it on an ordinary morning: drafts in every state, of a firm that writes
// in three languages. Nobody in it exists.

import { randomUUID } from "node:crypto";

const MINUTE = 60_000, HOUR = 60 * MINUTE, DAY = 24 * HOUR;

const ago = (ms) => new Date(Date.now() - ms).toISOString();

const PDF = Buffer.from("%PDF-1.4\n%%EOF\n".repeat(900)).toString("base64");

const QUOTE = `Guten Tag Frau Lindqvist,

vielen Dank für Ihre Anfrage. Anbei erhalten Sie unser **Angebot 2026-118** über 40 Regalböden aus
Eiche, geölt, 80 × 25 cm.

| Position | Menge | Preis |
|---|---:|---:|
| Regalboden Eiche 80 × 25 | 40 | 1.480,00 € |
| Lieferung frei Haus | 1 | 95,00 € |

Das Angebot gilt bis zum Monatsende. Die Lieferzeit beträgt drei Wochen.

Mit freundlichen Grüßen`;

const REPLY_FR = `Bonjour Monsieur Carpentier,

Votre commande 4471 est prête depuis ce matin. Vous pouvez passer la retirer à l’atelier du lundi au
vendredi, de 8 h à 17 h 30.

Si vous préférez une livraison, répondez simplement à ce message : nous passons dans votre quartier
le jeudi.

Bien cordialement`;

const NEWS = `<h1 style="color:#7a4a1e">Autumn in the workshop</h1>
<p>Dear Ms Okafor,</p>
<p>the new <a href="https://shop.example.com/ash">ash collection</a> is here. As a customer of many
years you can see it before anybody else does.</p>
<p><img src="https://shop.example.com/ash.jpg" alt="A table of ash wood" width="320" height="180"></p>
<p>Your invoice is at <a href="https://pay.example.net/1">https://shop.example.com/invoices</a>.</p>
<p>Kind regards</p>`;

// { name: request }, the oldest first.
const POSTED = {
  order: { to: "j.carpentier@example.com", subject: "Votre commande 4471 est prête",
    message: REPLY_FR },
  visit: { to: "m.brandt@example.org", subject: "Termin am Donnerstag",
    message: "Sehr geehrter Herr Brandt,\n\nder Termin am Donnerstag um 14 Uhr passt uns gut. Bitte " +
      "bringen Sie die Maße des Raumes mit.\n\nMit freundlichen Grüßen" },
  many: { to: Array.from({ length: 24 }, (_, i) => `dealer${i + 1}@example.com`),
    subject: "Price list for the new year",
    message: "Dear partners,\n\nplease find the price list for the coming year attached. It holds " +
      "from the first of January.\n\nKind regards",
    attachments: [{ filename: "prices-2027.pdf", content_type: "application/pdf", content: PDF }] },
  reminder: { to: "accounts@example.org", cc: "office@example.com",
    subject: "Reminder: invoice 2026-0931",
    message: "Dear Sir or Madam,\n\nour invoice 2026-0931 of 12 October is still open. Perhaps it " +
      "has been overlooked; if you have paid meanwhile, please ignore this message.\n\nKind regards" },
  news: { to: "Ada Okafor <ada.okafor@example.net>", subject: "Autumn in the workshop",
    format: "html", message: NEWS },
  thanks: { to: "contact@example.fr", subject: "Merci pour votre visite",
    message: "Bonjour,\n\nMerci d’être passés à notre stand. Vous trouverez le catalogue en pièce " +
      "jointe.\n\nÀ bientôt" },
  quote: { to: "Karin Lindqvist <k.lindqvist@example.com>", subject: "Ihr Angebot 2026-118",
    format: "markdown", message: QUOTE,
    attachments: [{ filename: "Angebot 2026-118.pdf", content_type: "application/pdf", content: PDF },
      { filename: "Maße.txt", content_type: "text/plain", content: "ODAgeCAyNSBjbQ==" }] },
};

const reviewed = (sent_at, seconds) => ({
  status: "sent", sent_at, reviewed_at: sent_at, reviewed_by: "ann", message_id: randomUUID(),
  created_at: new Date(Date.parse(sent_at) - seconds * 1000).toISOString(), created_by: "crm",
});

const KINDS = {
  person: "a mail reader or a browser",
  proxy: "Gmail fetches images when a message is opened",
  prefetch: "Apple Mail fetches all images ahead, under this name",
  scanner: "a mail filter",
};

// The pixel of a mail that was opened so many milliseconds after it left, by these kinds.
function pixelOf(draft, opens) {
  const noted = opens.map(([kind, after]) => ({
    kind, at: new Date(Date.parse(draft.sent_at) + after).toISOString(), reason: KINDS[kind],
  }));
  const counters = {};
  for (const [kind] of opens) counters[`opens_${kind}`] = (counters[`opens_${kind}`] ?? 0) + 1;
  return {
    to: draft.to, subject: draft.subject, created_at: draft.sent_at, open_count: opens.length,
    first_opened_at: noted[0]?.at ?? null, last_opened_at: noted.at(-1)?.at ?? null, opens: noted,
    template: draft.template, ...counters,
  };
}

const OPENS = [["scanner", 2000], ["prefetch", 40_000], ["proxy", 11 * MINUTE], ["person", 2 * HOUR],
  ["proxy", 3 * HOUR], ["proxy", 26 * HOUR]];

const STORED = {
  held: { to: "all@example.com", subject: "Sommerferien: geänderte Öffnungszeiten", status: "pending",
    body: "Liebe Kundinnen und Kunden,\n\nvom 3. bis 21. August ist nur vormittags geöffnet.",
    waiting: "held", held: "more than 20 recipients at once", mode: undefined,
    decision: { verdict: "hold", reason: "more than 20 recipients at once", rule: "many recipients",
      at: "policy/review.lua:14" }, created_at: ago(50 * MINUTE), created_by: "newsletter" },
  failed: { to: "orders@example.org", subject: "Delivery of order 4432", status: "pending",
    body: "Dear customer,\n\nyour order leaves our house tomorrow.\n\nKind regards",
    waiting: "failed", error: "Gmail refused the message: the daily limit for sending is reached",
    created_at: ago(3 * HOUR), created_by: "crm" },
  rejected: { to: "b.moreau@example.fr", subject: "Relance facture 2026-0877", status: "rejected",
    body: "Bonjour,\n\nSauf erreur de notre part, la facture 2026-0877 reste impayée.",
    reject_reason: "a été payée hier", reviewed_at: ago(20 * HOUR), reviewed_by: "ann",
    created_at: ago(21 * HOUR), created_by: "accounting" },
  sent: { to: "Ines Ferreira <i.ferreira@example.com>", subject: "Your new front door",
    body: "Dear Ms Ferreira,\n\nthe door is finished, and we can mount it next week.\n\nKind regards",
    ...reviewed(ago(30 * HOUR), 420) },
};

// The weeks before, for the figures.
function past() {
  const drafts = {}, pixels = {};
  const templates = [undefined, "quote", "order ready", "reminder", undefined, "welcome"];
  for (let day = 1; day < 40; day++) {
    const count = [2, 6, 9, 7, 8, 5, 1][day % 7] + day % 3;
    for (let i = 0; i < count; i++) {
      const sent = reviewed(ago(day * DAY - i * 25 * MINUTE), 40 + (i * 97 + day * 53) % 1900);
      const draft = { ...sent, to: "customer@example.com", subject: `Order ${day * 20 + i}`,
        body: "Thank you.", template: templates[(i + day) % templates.length] };
      if (!draft.template) delete draft.template;
      else delete draft.body;
      if (i % 8 === 7) Object.assign(draft, { status: "rejected", sent_at: undefined });
      const id = randomUUID();
      drafts[id] = draft;
      if (draft.status !== "sent") continue;
      pixels[randomUUID()] = { ...pixelOf(draft, OPENS.slice(0, (i * 5 + day) % 6)), draft_id: id };
    }
  }
  return { drafts, pixels };
}

const clean = (members) => Object.fromEntries(
  Object.entries(members).filter(([, value]) => value !== undefined));

// Fill a service; the ids of its drafts by name. `headers` are those of the program that writes.
export async function fillDesk(service, options) {
  const ids = {}, drafts = {}, pixels = {};
  for (const [name, request] of Object.entries(POSTED)) {
    const reply = await service.post("/", { mode: "draft", ...request }, options);
    if (reply.status !== 200) throw new Error(`${name}: ${reply.text}`);
    ids[name] = reply.json.draft_id;
  }
  for (const [name, members] of Object.entries(STORED)) {
    ids[name] = randomUUID();
    drafts[ids[name]] = clean(members);
  }
  const pixel = randomUUID();
  drafts[ids.sent].pixel_id = pixel;
  pixels[pixel] = { ...pixelOf(drafts[ids.sent], OPENS), draft_id: ids.sent };
  const before = past();
  for (const [id, members] of Object.entries(before.drafts)) drafts[id] = clean(members);
  for (const [id, members] of Object.entries(before.pixels)) pixels[id] = clean(members);
  await service.world.put("email_drafts", drafts);
  await service.world.put("email_opens", pixels);
  return ids;
}
