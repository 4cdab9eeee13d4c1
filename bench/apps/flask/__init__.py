"""Flask applications."""
