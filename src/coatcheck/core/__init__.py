"""Decisions only: no I/O, no clock, no `await`, nothing but the standard library."""
