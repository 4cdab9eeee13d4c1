"""Access tokens at the door of a service: a JWT in `Authorization: Bearer`, and nowhere else."""

from coatcheck.web.access.refusal import refusal

__all__ = ["refusal"]
