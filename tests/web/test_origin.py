"""Origins are compared whole, in the one spelling of browsers (RFC 6454 5)."""

import pytest

from coatcheck.web.origin import of_host, of_url, parse


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("https://a.example", "https://a.example"),
        ("HTTPS://A.Example", "https://a.example"),
        ("https://a.example:443", "https://a.example"),
        ("http://a.example:80", "http://a.example"),
        ("http://a.example:443", "http://a.example:443"),
        ("https://a.example:8443", "https://a.example:8443"),
        ("https://[2001:DB8::1]", "https://[2001:db8::1]"),
        ("https://[2001:db8::1]:443", "https://[2001:db8::1]"),
        ("http://[::1]:8000", "http://[::1]:8000"),
        ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
        ("https://under_score.example", "https://under_score.example"),
    ],
)
def test_what_is_an_origin(text: str, same: str) -> None:
    assert parse(text.encode()) == same


@pytest.mark.parametrize(
    "text",
    ["", "null", "https://", "https://a/", "https://a/b", "https://a?b", "https://a#b",
     "https://u@a", "https://a:b@c", "https://a:", "https://a:0443", "https://a:x", "https://a b",
     "https://a,https://a", "https://a https://b", "//a", "a", "a:443", "ftp://a", "file://",
     "javascript:alert(1)", "chrome-extension://abc", "https:a", "https:///a", "https://a\n",
     "https://*.example.com", "https://b\u00fccher.example", "https://" + "a" * 300],
)  # fmt: skip
def test_what_is_none(text: str) -> None:
    assert parse(text.encode("utf-8")) is None


def test_a_trailing_dot_is_another_host() -> None:
    assert parse(b"https://a.example.") != parse(b"https://a.example")


@pytest.mark.parametrize(
    ("host", "secure", "own"),
    [
        (b"a.example", True, "https://a.example"),
        (b"a.example:443", True, "https://a.example"),
        (b"a.example:80", True, "https://a.example:80"),
        (b"a.example", False, "http://a.example"),
        (b"A.EXAMPLE", True, "https://a.example"),
        (b"[::1]:8000", False, "http://[::1]:8000"),
        (b"a.example/b", True, None),
        (b"a.example,b.example", True, None),
        (b"u@a.example", True, None),
        (b"", True, None),
    ],
)
def test_what_is_served_under_a_host(host: bytes, secure: bool, own: str | None) -> None:
    assert of_host(host, secure=secure) == own


@pytest.mark.parametrize(
    ("url", "page"),
    [
        (b"https://a.example/b?c=https://d.example", "https://a.example"),
        (b"https://a.example", "https://a.example"),
        (b"https://a.example:443/", "https://a.example"),
        (b"https://a.example?b", "https://a.example"),
        (b"https://a.example@evil.example/", None),
        (b"https://evil.example\\@a.example/", None),
        (b"https:/a.example/", None),
        (b"/b", None),
        (b"about:blank", None),
        (b"android-app://a.example/", None),
        (b"https://" + b"a" * 400 + b"/", None),
        (b"https://a.example/" + b"b" * 4_000, "https://a.example"),
    ],
)
def test_the_page_at_an_address(url: bytes, page: str | None) -> None:
    assert of_url(url) == page
