// Jobs that scripts wake: when they run, told by what they log. None would run again by itself
// while a test lasts.

import assert from "node:assert/strict";
import { test } from "node:test";
import { hangUp } from "./lib/reload.mjs";
import { overlay, put, start } from "./lib/service.mjs";

const DAY = 86400;

// POST /wake/{list} wakes each job of a list like "a:0,b:5000", in this order. POST /open opens a
// gate that a job may wait for.
const ROUTES = `local jobs, store = require "paraph.jobs", require "paraph.store"
return {
  { "POST", "/wake/{list}", access = "public", handler = function(request)
    for name, ms in request.params.list:gmatch("(%a+):(%d+)") do
      jobs.wake(name, math.tointeger(ms))
    end
    return { json = {} }
  end },
  { "POST", "/open", access = "public", handler = function()
    return { json = { version = assert(store.create("gates", "open", {})) } }
  end },
}`;

// Each logs its name, after what its body does.
const jobs = (bodies, more = "") => `local log = require "paraph.log"
local jobs, task = require "paraph.jobs", require "paraph.task"
return { ${Object.entries(bodies).map(([name, body]) =>
    `{ "${name}", every = ${DAY}, ${more} run = function() ${body}; log.info("${name}") end }`)} }`;

async function serve(t, bodies, more) {
  const scripts = await overlay(t, { "routes.lua": ROUTES, "jobs.lua": jobs(bodies, more) });
  const service = await start(t, { SCRIPTS_DIR: scripts });
  return {
    scripts,
    service,
    wake: async (list) => assert.equal((await service.post(`/wake/${list}`, {})).status, 200),
    count: (name) => service.log.filter((e) => e.message === name).length,
    // The n-th run of a job.
    nth: (name, n) => service.event((e) => e.message === name &&
      service.log.filter((o) => o.message === name).indexOf(e) === n - 1, `${name}, run ${n}`),
  };
}

test("a job that is woken runs, and each time again", async (t) => {
  const { wake, nth, count } = await serve(t, { one: "", two: "" });
  await nth("one", 1);
  await wake("one:0");
  await nth("one", 2);
  await wake("one:20");
  await nth("one", 3);
  await wake("two:0");
  await nth("two", 2);
  assert.equal(count("one"), 3);
});

test("a later wake does not delay an earlier one, nor the other way round", async (t) => {
  const { wake, nth } = await serve(t, { one: "" });
  await nth("one", 1);
  await wake("one:0,one:86400000");
  await nth("one", 2);
  await wake("one:86400000");
  await wake("one:86400000,one:10,one:86400000");
  await nth("one", 3);
});

test("several wakes before a run are one", async (t) => {
  const { wake, nth, count } = await serve(t, { one: "", other: "" });
  await nth("one", 1);
  await wake("one:0,one:0,one:0,one:1");
  await nth("one", 2);
  await wake("other:20");
  await nth("other", 2);
  assert.equal(count("one"), 2);
});

test("names that are not there, or not ours, are nothing", async (t) => {
  const { wake, nth, service } = await serve(t, { one: "" });
  await wake("nothing:0,one:0");
  await nth("one", 2);
  assert.deepEqual(service.log.filter((e) => e.severity === "ERROR"), []);
  const other = await serve(t, { one: "" }, 'serve = "tracker",');
  await other.service.stop();
  const env = { ROLE: "gateway", SCRIPTS_DIR: other.scripts,
    PIXEL_TRACKER_BASE_URL: "https://t.example.org" };
  const gateway = await start(t, env);
  assert.equal((await gateway.post("/wake/one:0", {})).status, 200);
  await gateway.stop();
  assert.deepEqual(gateway.log.filter((e) => e.message === "one"), []);
});

test("a job that is woken while it runs, runs once more when it has ended", async (t) => {
  const { service, wake, nth } = await serve(t, {
    one: `log.info("begins")
      while not require("paraph.store").get("gates", "open") do task.sleep(5) end`,
  });
  await nth("begins", 1);
  await wake("one:0");
  assert.equal((await service.post("/open", {})).status, 200);
  await nth("one", 2);
  assert.deepEqual(service.log.map((e) => e.message).filter((m) => /^(begins|one)$/.test(m)),
    ["begins", "one", "begins", "one"]);
});

test("a job wakes itself as often as it likes, and never runs twice at once", async (t) => {
  const { service, wake, nth, count } = await serve(t, {
    again: `local store = require "paraph.store"
      local runs = store.get("runs", "again")
      log.info("begins")
      if not runs then assert(store.create("runs", "again", { n = 1 })) end
      if not runs or runs.n < 5 then
        jobs.wake("again", 0)
        jobs.wake("again", ${DAY * 1000})
        assert(store.increment("runs", "again", { counter = "n" }))
      end
      task.sleep(1)`,
    other: "",
  });
  await nth("again", 5);
  await wake("other:20");
  await nth("other", 2);
  assert.equal(count("again"), 5);
  assert.deepEqual(service.log.map((e) => e.message).filter((m) => /^(begins|again)$/.test(m)),
    Array.from({ length: 5 }, () => ["begins", "again"]).flat());
});

test("a wake finds the job of the scripts that are live then", async (t) => {
  const { scripts, service, wake, nth } = await serve(t, { one: "", other: "" });
  await nth("one", 1);
  await put(scripts, "jobs.lua", jobs({ one: 'log.info("new")', other: "" }));
  await hangUp(service);
  await wake("one:0");
  await nth("new", 1);
  await nth("one", 2);

  await put(scripts, "jobs.lua", jobs({ other: "" }));
  await hangUp(service);
  await wake("one:0");
  await wake("other:20");
  await nth("other", 2);
  assert.equal(service.log.filter((e) => e.message === "one").length, 2);

  await put(scripts, "jobs.lua", jobs({ one: "", other: "" }));
  await hangUp(service);
  await nth("one", 3); // it begins anew
  await wake("one:0");
  await nth("one", 4);
});
