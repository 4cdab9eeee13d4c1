"""Base64url without padding, where a text has one meaning and a meaning one text (RFC 4648 5)."""

from base64 import urlsafe_b64decode, urlsafe_b64encode


def encode(raw: bytes) -> str:
    """Return bytes as base64url without padding."""
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    """Return the bytes of base64url without padding.

    Raises:
        ValueError: it is spelled in another way than `encode` does.
    """
    raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if encode(raw) != text:
        raise ValueError("this is not canonical base64url")
    return raw
