// Alerts and dashboard: each asks for what /metrics has, and each alert rises when it should.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { parse } from "yaml";
import { inherited, temporary } from "../e2e/lib/service.mjs";
import { ROOT } from "./cloudrun.mjs";
import { metrics, names } from "./metrics.mjs";

const run = promisify(execFile);
const RULES = join(ROOT, "deploy/alerts.yaml");
const rules = parse(await readFile(RULES, "utf8")).groups.flatMap((group) => group.rules);
const dashboard = JSON.parse(await readFile(join(ROOT, "deploy/dashboard.json"), "utf8"));
const widgets = dashboard.mosaicLayout.tiles.map(({ widget }) => widget);
const queries = widgets.flatMap(({ title, xyChart, scorecard }) => (xyChart?.dataSets ?? [scorecard])
  .map(({ timeSeriesQuery }) => [title, timeSeriesQuery.prometheusQuery]));

// --- what is asked for ---------------------------------------------------------------------------

// What a query says of metrics: [{ name, labels: [[label, operator, value]] }], and what it groups by.
function namesIn(query) {
  const series = [...query.matchAll(/\b((?:paraph|process)_\w+)(?:\{([^}]*)\})?/g)].map(([, name, labels]) => ({
    name, labels: [...(labels ?? "").matchAll(/(\w+)(=~|!~|!=|=)"([^"]*)"/g)].map(([, ...label]) => label) }));
  const groups = [...query.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, list]) => list.split(", "));
  return { series, groups };
}

function assertKnown(where, query) {
  const { series, groups } = namesIn(query);
  assert.ok(series.length > 0, `${where}: asks for nothing`);
  for (const { name, labels } of series) {
    assert.ok(metrics[name], `${where}: there is no ${name}`);
    for (const [label, operator, value] of labels) {
      const values = metrics[name][label];
      assert.notEqual(values, undefined, `${where}: ${name} has no ${label}`);
      for (const one of operator.includes("~") ? value.split("|") : [value]) {
        assert.ok(values === null || values.has(one), `${where}: ${label} is never ${one}`);
      }
    }
    for (const label of groups) assert.ok(label in metrics[name], `${where}: ${name} has no ${label}`);
  }
}

test("alerts and dashboard ask for metrics and labels that there are", () => {
  for (const { alert, expr } of rules) assertKnown(alert, expr);
  for (const [title, query] of queries) assertKnown(title, query);
});

test("what is wrong in a query is found", () => {
  for (const [query, what] of [["paraph_sent_total", /no paraph_sent_total/],
    ['paraph_sends_total{kind="x"}', /has no kind/], ['paraph_sends_total{outcome="lost"}', /never lost/],
    ['paraph_sends_total{outcome=~"sent|lost"}', /never lost/], ["sum by (api) (paraph_sends_total)", /has no api/],
    ["up", /asks for nothing/]]) assert.throws(() => assertKnown("here", query), what);
});

test("every metric is on the dashboard or in an alert, or tells nothing to an operator", () => {
  const asked = new Set([...rules.map(({ expr }) => expr), ...queries.map(([, query]) => query)]
    .flatMap((query) => namesIn(query).series.map(({ name }) => name.replace(/_bucket$/, ""))));
  assert.deepEqual(names.filter((name) => !asked.has(name)), ["process_start_time_seconds"]);
});

// --- Prometheus ----------------------------------------------------------------------------------

// promtool's opinion: what it prints, if it has an objection.
async function promtool(args) {
  try {
    await run("promtool", args, { env: inherited() });
    return "";
  } catch (error) {
    if (error.code === "ENOENT") throw error;
    return error.stdout + error.stderr;
  }
}

test("Prometheus takes the alerts, and the queries of the dashboard", async (t) => {
  assert.equal(await promtool(["check", "rules", RULES]), "");
  const file = join(await temporary(t), "queries.yaml");
  await writeFile(file, JSON.stringify({ groups: [{ name: "x", rules: queries.map(([, expr], i) =>
    ({ record: `query_${i}`, expr })) }] }));
  assert.equal(await promtool(["check", "rules", file]), "");
});

// What makes each rise, a value a minute from the start on, and what does not: the same, but calm.
const CASES = {
  ParaphSendsFailing: { series: 'paraph_sends_total{mode="draft",outcome="failed"}', rises: "0x10 1x20", calm: "3x60" },
  ParaphGoogleErrors: { series: 'paraph_google_requests_total{api="gmail",code="503"}', rises: "0+3x60", calm: "0+0.1x60",
    beside: [['paraph_google_requests_total{api="gmail",code="200"}', "0+10x60"]], labels: 'api="gmail"', at: 30 },
  ParaphGoogleRetries: { series: 'paraph_google_retries_total{api="gmail"}', rises: "0+60x60", calm: "0+6x60",
    labels: 'api="gmail"', at: 40 },
  ParaphMailboxWaiting: { series: "paraph_mailbox_waiting", rises: "50x60", calm: "50x5 0x60" },
  ParaphReloadRefused: { series: 'paraph_reloads_total{outcome="refused"}', rises: "0x10 1x60", calm: "2x60" },
  ParaphPolicyErrors: { series: 'paraph_policy_errors_total{hook="review.decide"}', rises: "_x12 1x60", calm: "4x60",
    labels: 'hook="review.decide"' },
  ParaphOpensLost: { series: 'paraph_opens_total{kind="lost"}', rises: "0+1x60", calm: "0x10 2x60" },
  ParaphWebhooksDropped: { series: 'paraph_webhooks_total{event="sent",outcome="dropped"}', rises: "_x12 1x60", calm: "9x90",
    labels: 'event="sent"' },
  ParaphWebhooksWaiting: { series: "paraph_webhooks_waiting", rises: "500x60", calm: "20x60" },
  ParaphWorkerRestarts: { series: "paraph_worker_restarts_total", rises: "0x10 1x60", calm: "1x60" },
  ParaphDown: { series: 'paraph_generation{namespace="paraph-gateway"}', rises: "1x5 stale", calm: "1x60",
    labels: 'namespace="paraph-gateway"' },
};

test("every alert has a case", () => {
  assert.deepEqual(Object.keys(CASES), rules.map(({ alert }) => alert));
});

// promtool's own test, that at this minute these alerts fire.
const minute = (alert, { series, beside = [], labels, at = 20 }, values, severity) => ({
  interval: "1m",
  // The gateway runs, unless that is what it is about.
  input_series: [[series, values], ...beside,
    ...(alert === "ParaphDown" ? [] : [['paraph_generation{namespace="paraph-gateway"}', "1x90"]])]
    .map(([name, list]) => ({ series: name, values: list })),
  promql_expr_test: [{ expr: 'ALERTS{alertstate="firing"}', eval_time: `${at}m`,
    exp_samples: severity ? [{ value: 1, labels:
      `ALERTS{alertname="${alert}",alertstate="firing",severity="${severity}"${labels ? `,${labels}` : ""}}` }] : [] }],
});

test("each alert rises when it should, and not otherwise", async (t) => {
  const file = join(await temporary(t), "cases.yaml");
  const tests = rules.flatMap(({ alert, labels: { severity } }) => [
    minute(alert, CASES[alert], CASES[alert].rises, severity),
    minute(alert, { ...CASES[alert], at: 75 }, CASES[alert].calm)]);
  await writeFile(file, JSON.stringify({ rule_files: [RULES], evaluation_interval: "1m", tests }));
  assert.equal(await promtool(["test", "rules", file]), "");
});

test("every alert says what it is and what to do", () => {
  for (const { alert, labels, annotations } of rules) {
    assert.match(labels.severity, /^(page|ticket)$/, alert);
    assert.ok(annotations.summary.length < 80 && annotations.description.length > 80, alert);
  }
});

// --- Cloud Monitoring ----------------------------------------------------------------------------

test("the tiles of the dashboard lie beside each other", () => {
  const { columns, tiles } = dashboard.mosaicLayout;
  const taken = new Set();
  for (const { xPos = 0, yPos = 0, width, height, widget } of tiles) {
    assert.ok(xPos + width <= columns, widget.title);
    for (let x = xPos; x < xPos + width; x++) {
      for (let y = yPos; y < yPos + height; y++) {
        assert.ok(!taken.has(`${x},${y}`), `${widget.title} lies on another`);
        taken.add(`${x},${y}`);
      }
    }
  }
});
