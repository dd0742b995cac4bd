-- What wrk sends, and what it says at the end, as one line of JSON.
--
--   wrk … -s load.lua URL -- METHOD [BODY | @FILE of paths, one for each request in turn]

local paths, at = nil, 0

function init(args)
  wrk.method = args[1]
  local body = args[2]
  if body and body:sub(1, 1) == "@" then
    paths = {}
    for line in io.lines(body:sub(2)) do paths[#paths + 1] = line end
  elseif body then
    wrk.body = body
    wrk.headers["Content-Type"] = "application/json"
  end
end

function request()
  if not paths then return wrk.format() end
  at = at % #paths + 1
  return wrk.format(nil, paths[at])
end

function done(summary, latency)
  local errors = summary.errors
  io.write(('\n{"requests":%d,"seconds":%.6f,"bad":%d,"broken":%d,"p50":%.3f,"p99":%.3f}\n'):format(
    summary.requests, summary.duration / 1e6, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
