"""Benchmarks: what a session costs a request, and what survives when requests meet."""
