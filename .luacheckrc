-- luacheck scripts tests
std = "lua54"
max_line_length = 100
exclude_files = { "tests/node_modules/**" }

-- Stubs describe functions that C implements: their arguments are documentation, and a stub may be
-- a function of the global environment (paraph.fetch is a function).
files["scripts/types"] = { ignore = { "111", "131", "211", "212", "241", "431" } }

-- What these do is wrong on purpose.
files["tests/e2e/hostile"] = { ignore = { ".*" } }

files["tests/bench"] = { globals = { "wrk", "init", "request", "done" } } -- as wrk has it
