"""A small shop on three identical servers that share one session store."""
