-- Sends one GET after the other, each with the next of the given Cookie lines; prints what came back as JSON.
local requests, position = {}, 0

function init(arguments)
  for line in io.lines(arguments[1]) do
    requests[#requests + 1] = wrk.format("GET", nil, { ["Host"] = wrk.headers["Host"], ["Cookie"] = line ~= "" and line or nil })
  end
end

function request()
  position = position % #requests + 1
  return requests[position]
end

function done(summary, latency)
  local failed = 0
  for _, count in pairs(summary.errors) do failed = failed + count end
  io.write(string.format('\n{"requests": %d, "failed": %d, "duration_s": %.6f, "median_ms": %.4f}\n',
    summary.requests, failed, summary.duration / 1e6, latency:percentile(50) / 1e3))
end
