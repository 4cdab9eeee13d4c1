"""Where a page leads when the user must prove more, and the way back from there."""

import re
from collections.abc import Callable
from urllib.parse import quote

from coatcheck.errors import ConfigurationError
from coatcheck.web.transport import Headers

ToPage = Callable[[], str | None]
"""Where a request leads whose user must prove more; `None`: nowhere."""

# Browsers take a backslash for a slash, and leave tabs and line ends out before they parse.
_LOCAL = re.compile(r"/(?![/\\])[!-\[\]-~]*")


def safe_next(target: str | None, default: str = "/") -> str:
    """Return `target` if it is a path of this very site, else `default` (ASVS 5.0 V3.7.2).

    To be asked of whatever a request says to go on to. A path begins with one slash and holds
    printable ASCII without backslashes; so whatever a browser makes of it is on the same origin.
    """
    return target if target is not None and _LOCAL.fullmatch(target) else default


def check_page(url: str | None) -> None:
    """Refuse a step-up page that is elsewhere.

    Raises:
        ConfigurationError: it is, or it is no path.
    """
    if url is not None and (safe_next(str(url), ".") != url or "#" in url):
        raise ConfigurationError("step_up_url", f"{url!r} is no path such as /step-up")


def is_page(headers: Headers) -> bool:
    """Tell whether a person sees the answer as a page: a navigation, or what asks for HTML."""
    mode = accepted = b""
    for name, value in headers:
        if name == b"sec-fetch-mode":
            mode = value
        elif name == b"accept":
            accepted = value
    return mode == b"navigate" if mode else b"text/html" in accepted


def leading_back(
    url: str, headers: Headers, path: str, query: str, *, is_safe: bool = True
) -> str | None:
    """Return the step-up page's URL with the way back, `next`, for requests that can be repeated.

    A form's POST cannot be by a link, nor what a server could not read as UTF-8 and keeps in some
    way of its own. `None`: nobody sees the answer as a page.

    Args:
        is_safe: whether the method is, as far as is known; where it is not, browsers of these years
            mark a POST by `Origin`.
    """
    if not is_page(headers):
        return None
    try:
        target = quote(path, safe="/:@!$&'()*+,;=~", errors="surrogateescape")
    except UnicodeEncodeError:
        return url
    target += f"?{query}" if query else ""
    is_link = is_safe and not any(name == b"origin" for name, _ in headers)
    if not is_link or safe_next(target, "") != target:
        return url
    return f"{url}{'&' if '?' in url else '?'}next={quote(target, safe='/')}"
