"""What wrk reports is read as it is."""

import pytest

from bench.wrk import Load, parse

OUTPUT = """\
Running 2s test @ http://127.0.0.1:8000/read
  1 threads and 32 connections
  8596 requests in 2.01s, 1.16MB read
Requests/sec:   4276.13

{"requests": 8596, "microseconds": 2010234, "p99": 11943, "refused": 3, "broken": 0}
"""


def test_the_line_of_the_script_is_what_counts() -> None:
    assert parse(OUTPUT) == Load(8596, 2.010234, 11_943, 3, 0)


def test_a_run_that_ended_without_the_line_is_no_measurement() -> None:
    with pytest.raises(ValueError, match="did not report"):
        parse("unable to connect to 127.0.0.1:8000 Connection refused\n")
