"""Keep responses that depend on a session out of shared caches (RFC 9111)."""

from coatcheck.web.transport import Headers

_FOR_CACHES = (b"cache-control", b"edge-control", b"surrogate-control", b"x-accel-expires")
"""How headers end that tell caches what to store: all of them, or one kind, which then follows that
in place of `Cache-Control`. Such headers end in `-Cache-Control` by convention (RFC 9213 2), the
last one is nginx's."""

LOOKED_AT = ("vary", *(name.decode() for name in _FOR_CACHES))
"""How headers of a response end that `protect` looks at; the others stay as they are."""


def protect(headers: Headers, *, vary: str, hands_over: bool) -> Headers:
    """Return response headers with what a response that looked at the session needs.

    `Vary` is extended, not replaced. A response that hands a token over is never stored, whatever
    the application said, to one kind of cache alone too (ASVS 5.0 V14.3.2); another is private,
    unless the application said that it is for everybody, or for nobody.
    """
    kept: Headers = []
    varies: list[bytes] = []
    is_decided = False
    for header in headers:
        name = header[0].lower()
        if name == b"vary":
            varies.append(header[1])
            continue
        if hands_over and name.endswith(_FOR_CACHES):
            continue
        if name == b"cache-control":
            is_decided = is_decided or _is_decided(header[1])
        kept.append(header)
    kept.append((b"vary", _extended(varies, vary)))
    if hands_over:
        kept.append((b"cache-control", b"no-store"))
    elif not is_decided:
        kept.append((b"cache-control", b"private"))
    return kept


def _is_decided(value: bytes) -> bool:
    """Tell whether a `Cache-Control` says what shared caches may do."""
    directives = {item.strip().partition(b"=")[0].lower() for item in value.split(b",")}
    return not directives.isdisjoint((b"public", b"s-maxage", b"private", b"no-store"))


def _extended(varies: list[bytes], vary: str) -> bytes:
    if not varies:
        return vary.encode()
    items = [item.strip() for value in varies for item in value.split(b",") if item.strip()]
    if b"*" in items:
        return b"*"
    if vary.lower().encode() not in [item.lower() for item in items]:
        items.append(vary.encode())
    return b", ".join(items)
