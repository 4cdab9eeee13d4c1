"""The URL of the store that the benchmark chose."""

import os

STORE = os.environ.get("BENCH_STORE", "memory:")
