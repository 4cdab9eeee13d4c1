"""Reports of errors: Django hides the cookie that it knows by name, and we hide ours."""

from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from coatcheck.web.cookie import CookieTransport
from coatcheck.web.transport import Transport


def hiding(transport: Transport) -> Any:
    """Return the site's filter of reports, which shows no token either."""
    names = set[str]()
    if isinstance(transport, CookieTransport):
        for each in (transport, transport.for_development()):
            names |= {each.name, each.anonymous_name}
    base: Any = import_string(settings.DEFAULT_EXCEPTION_REPORTER_FILTER)

    class Filter(base):
        def get_safe_cookies(self, request: Any) -> dict[str, Any]:
            cookies: dict[str, Any] = super().get_safe_cookies(request)
            return {
                name: self.cleansed_substitute if name in names else value
                for name, value in cookies.items()
            }

    return Filter()
