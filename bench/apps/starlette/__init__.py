"""Starlette applications."""
