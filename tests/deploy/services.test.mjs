// The descriptions of both services, as deploy/cloudrun fills them in: YAML that means what it should,
// and an environment that the program takes.

import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { parse } from "yaml";
import { settings, standIn } from "../e2e/lib/google.mjs";
import { bearer } from "../e2e/lib/identity.mjs";
import { run, start } from "../e2e/lib/service.mjs";
import { Cloud, ROOT } from "./cloudrun.mjs";

const KEY = `crm=draft+send:${"a".repeat(64)}`;

// { gateway, tracker, cloud } in a configuration: descriptions, parsed.
async function described(t, env = {}) {
  const cloud = await Cloud.open(t);
  const { code, stderr } = await cloud.run(["up"], env, KEY);
  assert.equal(code, 0, stderr);
  const read = (name) => parse(cloud.things.services[name].text, { strict: true, uniqueKeys: true });
  return { cloud, gateway: read("paraph-gateway"), tracker: read("paraph-tracker") };
}

const podOf = (service) => service.spec.template.spec;
const annotationsOf = (service) => service.spec.template.metadata.annotations;
const containerOf = (service, name = "paraph") =>
  podOf(service).containers.find((container) => container.name === name);

// What a container finds in its environment.
function environmentOf(container, { things: { secrets } }) {
  return Object.fromEntries(container.env.map(({ name, value, valueFrom }) => {
    const { name: secret, key } = valueFrom?.secretKeyRef ?? {};
    return [name, secret ? secrets[secret][key - 1] : value];
  }));
}

// Every variable that the program reads: those of core/, and POLICY_… of scripts/settings.lua.
async function knownVariables() {
  const files = (await readdir(join(ROOT, "core"))).filter((name) => /^env.*\.c$/.test(name));
  const text = (await Promise.all(files.map((name) => readFile(join(ROOT, "core", name), "utf8")))).join();
  const declared = await readFile(join(ROOT, "scripts/settings.lua"), "utf8");
  return new Set([...[...text.matchAll(/"([A-Z][A-Z_]{2,})"/g)].map(([, name]) => name),
    ...[...declared.matchAll(/^ {2}(\w+) = \{/gm)].map(([, name]) => `POLICY_${name.toUpperCase()}`)]);
}

const CONFIGURATIONS = {
  "as it comes": {},
  "cheap, without metrics": { ALWAYS_ON: "false", METRICS: "false" },
  "with Google's tokens and a domain": { AUTH: "google", DOMAIN: "t.example.com" },
  "with all that is handed on": { AUTH: "iap,key", API_KEYS_FILE: "-", ALLOWED_SENDERS: "@example.com",
    GMAIL_CONCURRENCY: "2", GMAIL_SCOPES: "https://www.googleapis.com/auth/gmail.compose",
    LOG_LEVEL: "warning", NO_SEND: "true", POLICY_FOUR_EYES: "true", POLICY_UNDO_SECONDS: "9",
    SEND_MODE: "send", DRAFT_COLLECTION: "o'drafts", PIXEL_COLLECTION: "pixels" },
};

for (const [title, configuration] of Object.entries(CONFIGURATIONS)) {
  test(`the program takes the environment of both services: ${title}`, async (t) => {
    const known = await knownVariables();
    const { cloud, ...services } = await described(t, configuration);
    for (const [role, service] of Object.entries(services)) {
      const env = environmentOf(containerOf(service), cloud);
      assert.deepEqual(Object.keys(env).filter((name) => !known.has(name)), []);
      assert.equal(env.ROLE, role);
      assert.ok(!Object.values(env).some((value) => value === undefined || value.includes("${")), title);
      // HOST and LOG_FORMAT are not set there: the program sees that it is on Cloud Run.
      const { code, stdout, stderr } = await run(t, ["check"],
        { ...env, K_SERVICE: "paraph", HOST: "", LOG_FORMAT: "" });
      assert.equal(code, 0, stdout + stderr);
    }
  });
}

test("both start with it, and the collector's key is one that has the role ops", async (t) => {
  const { cloud, gateway, tracker } = await described(t, { AUTH: "key", API_KEYS_FILE: "-" });
  const google = await standIn(t);
  const [key] = cloud.things.secrets["paraph-metrics-key"];
  for (const description of [gateway, tracker]) {
    const env = environmentOf(containerOf(description), cloud);
    const service = await start(t, { ...env, ...settings(google, {
      GMAIL_USER: env.GMAIL_USER, GOOGLE_CLOUD_PROJECT: env.GOOGLE_CLOUD_PROJECT }) });
    const { startupProbe, livenessProbe } = containerOf(description);
    for (const { httpGet } of [startupProbe, livenessProbe]) {
      assert.equal((await service.get(httpGet.path)).status, 200, httpGet.path);
    }
    if (env.ROLE === "tracker") continue;
    const asked = await service.post("/repl", { source: "1" }, bearer(key)); // for ops alone, as /metrics
    assert.notEqual(asked.status, 401);
    assert.equal((await service.get("/drafts", bearer(key))).status, 403);
  }
});

test("what Cloud Run is told", async (t) => {
  const { gateway, tracker } = await described(t);
  for (const service of [gateway, tracker]) {
    assert.deepEqual([service.apiVersion, service.kind], ["serving.knative.dev/v1", "Service"]);
    const annotations = annotationsOf(service);
    assert.ok(Object.values(annotations).every((value) => typeof value === "string"));
    assert.equal(annotations["run.googleapis.com/execution-environment"], "gen2");
    // The one that serves has the port; whoever has less than a processor is not alone.
    const [served, collector] = podOf(service).containers;
    assert.deepEqual([served.ports.length, collector.ports], [1, undefined]);
    assert.equal(served.resources.limits.cpu, "1");
    assert.ok(served.startupProbe.failureThreshold * served.startupProbe.periodSeconds <= 240);
    assert.equal(podOf(service).serviceAccountName, "paraph@my-project.iam.gserviceaccount.com");
  }
  assert.equal(gateway.metadata.annotations["run.googleapis.com/iap-enabled"], "true");
  const env = Object.fromEntries(containerOf(gateway).env.map(({ name, value }) => [name, value]));
  assert.equal(env.AUTH, "iap,key");
  assert.equal(env.IAP_AUDIENCE, "/projects/123456789012/locations/europe-west1/services/paraph-gateway");
  assert.equal(env.PIXEL_TRACKER_BASE_URL, "https://paraph-tracker-123456789012.europe-west1.run.app");
  assert.ok(podOf(gateway).timeoutSeconds > Number(env.REQUEST_TIMEOUT));
});

test("always on, or cheap: whether there is a processor between requests", async (t) => {
  for (const [on, throttled, least] of [["true", "false", "1"], ["false", "true", "0"]]) {
    const { gateway, tracker } = await described(t, { ALWAYS_ON: on });
    for (const service of [gateway, tracker]) {
      assert.equal(annotationsOf(service)["run.googleapis.com/cpu-throttling"], throttled);
    }
    assert.equal(annotationsOf(gateway)["autoscaling.knative.dev/minScale"], least);
    assert.equal(annotationsOf(tracker)["autoscaling.knative.dev/minScale"], "0");
  }
});

test("a bucket with policies is mounted where SCRIPTS_DIR says", async (t) => {
  const { gateway, tracker } = await described(t, { SCRIPTS_BUCKET: "my-policies" });
  const [volume] = podOf(gateway).volumes;
  assert.equal(volume.csi.volumeAttributes.bucketName, "my-policies");
  const { volumeMounts: [mount], env } = containerOf(gateway);
  assert.equal(mount.name, volume.name);
  assert.equal(env.find(({ name }) => name === "SCRIPTS_DIR").value, mount.mountPath);
  assert.equal(podOf(tracker).volumes, undefined);
  assert.equal(podOf((await described(t)).gateway).volumes, undefined);
});

test("webhooks: an address, and a secret to sign with", async (t) => {
  const { cloud, gateway } = await described(t, { WEBHOOK_URL: "https://crm.example/hook", WEBHOOK_SECRET_FILE: "-" });
  const env = environmentOf(containerOf(gateway), cloud);
  assert.equal(env.WEBHOOK_URL, "https://crm.example/hook");
  assert.equal(env.WEBHOOK_SECRET, KEY); // what came by standard input
});

test("the collector asks for /metrics with its key, and every part of its pipeline is there", async (t) => {
  const { cloud, gateway, tracker } = await described(t);
  for (const service of [gateway, tracker]) {
    const env = environmentOf(containerOf(service, "collector"), cloud);
    assert.equal(env.METRICS_KEY, cloud.things.secrets["paraph-metrics-key"][0]);
    const config = parse(env.COLLECTOR_CONFIG);
    for (const { receivers, processors, exporters } of Object.values(config.service.pipelines)) {
      for (const name of receivers) assert.ok(name in config.receivers, name);
      for (const name of processors) assert.ok(name in config.processors, name);
      for (const name of exporters) assert.ok(name in config.exporters, name);
    }
    const [scrape] = config.receivers.prometheus.config.scrape_configs;
    assert.deepEqual(scrape.authorization, { type: "Bearer", credentials: "${env:METRICS_KEY}" });
    const { containerPort } = containerOf(service).ports[0];
    assert.deepEqual(scrape.static_configs, [{ targets: [`127.0.0.1:${containerPort}`] }]);
  }
  const without = await described(t, { METRICS: "false" });
  assert.equal(containerOf(without.gateway, "collector"), undefined);
});
