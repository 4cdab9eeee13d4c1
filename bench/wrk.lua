-- Requests with the cookies of a file, one a line, in turn; without a file, none.
-- wrk ... -- FILE

local requests, turn = {}, 0

function init(args)
    local headers = {
        ["X-Forwarded-Proto"] = "https",
        ["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    }
    if args[1] then
        for cookie in io.lines(args[1]) do
            headers["Cookie"] = cookie
            requests[#requests + 1] = wrk.format("GET", nil, headers)
        end
    else
        requests[1] = wrk.format("GET", nil, headers)
    end
end

function request()
    turn = turn % #requests + 1
    return requests[turn]
end

function done(summary, latency)
    local errors = summary.errors
    io.write(string.format(
        '\n{"requests": %d, "microseconds": %d, "p99": %d, "refused": %d, "broken": %d}\n',
        summary.requests, summary.duration, latency:percentile(99),
        errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
