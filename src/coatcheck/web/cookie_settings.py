"""The cookie settings of frameworks: Flask and Django have the same names for them."""

from collections.abc import Mapping
from typing import Any

from coatcheck.errors import ConfigurationError
from coatcheck.web.cookie import CookieTransport

_NAMES = {
    "name": "SESSION_COOKIE_NAME",
    "domain": "SESSION_COOKIE_DOMAIN",
    "path": "SESSION_COOKIE_PATH",
    "secure": "SESSION_COOKIE_SECURE",
    "http_only": "SESSION_COOKIE_HTTPONLY",
    "same_site": "SESSION_COOKIE_SAMESITE",
    "partitioned": "SESSION_COOKIE_PARTITIONED",
}


def transport_of(settings: Mapping[str, Any], defaults: Mapping[str, Any]) -> CookieTransport:
    """Return what an application's settings ask for, where they differ from the framework's own.

    The visitor's cookie has the name that is set and `-anon`. A domain or a path rules the prefix
    `__Host-` out, so the name is then `__Secure-sid` unless one is set.

    Raises:
        ConfigurationError: they cannot work; it names the setting as the framework does.
    """
    asked = {
        field: settings[name]
        for field, name in _NAMES.items()
        if name in settings and settings[name] != defaults.get(name)
    }
    # As lenient as the frameworks are: in any case, with a dot that means nothing, by False.
    if isinstance(same_site := asked.get("same_site"), str):
        asked["same_site"] = same_site.title()
    if isinstance(domain := asked.get("domain"), str):
        asked["domain"] = domain.removeprefix(".")
    asked = {field: value for field, value in asked.items() if field != "domain" or value}
    if "domain" in asked or asked.get("path", "/") != "/":
        asked.setdefault("name", "__Secure-sid")
    if "name" in asked and asked["name"] != CookieTransport().name:
        asked["anonymous_name"] = f"{asked['name']}-anon"
    try:
        return CookieTransport(**asked)
    except ConfigurationError as error:
        raise error.about(_NAMES.get(error.setting, error.setting)) from None
