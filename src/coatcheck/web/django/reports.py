"""Reports of errors: Django hides the cookie that it knows by name, and we hide ours.

Its marks for variables hide nothing in the page of `DEBUG`; so frames are looked at here.
"""

from types import FrameType
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from coatcheck.web.cookie import CookieTransport
from coatcheck.web.transport import Transport


def hiding(transport: Transport) -> Any:
    """Return the site's filter of reports, which shows no token and no store's password either."""
    names = set[str]()
    if isinstance(transport, CookieTransport):
        for each in (transport, transport.for_development()):
            names |= {each.name, each.anonymous_name}
    base: Any = import_string(settings.DEFAULT_EXCEPTION_REPORTER_FILTER)

    def get_safe_cookies(self: Any, request: Any) -> dict[str, Any]:
        cookies: dict[str, Any] = base.get_safe_cookies(self, request)
        return {
            name: self.cleansed_substitute if name in names else value
            for name, value in cookies.items()
        }

    def get_traceback_frame_variables(self: Any, request: Any, tb_frame: FrameType) -> Any:
        if _is_ours(tb_frame):
            return dict.fromkeys(tb_frame.f_locals, self.cleansed_substitute).items()
        return base.get_traceback_frame_variables(self, request, tb_frame)

    def cleanse_setting(self: Any, key: Any, value: Any) -> Any:
        if key == "store" and isinstance(value, str):
            return self.cleansed_substitute
        return base.cleanse_setting(self, key, value)

    methods = (get_safe_cookies, get_traceback_frame_variables, cleanse_setting)
    return type("Filter", (base,), {method.__name__: method for method in methods})()


def _is_ours(frame: FrameType) -> bool:
    """Tell whether a frame is this library's, or of the site's own that the gate gives headers."""
    if _module(frame).partition(".")[0] == "coatcheck":
        return True
    below: FrameType | None = frame
    while below is not None and _module(below) != "coatcheck.web.gate":
        below = below.f_back
    return below is not None


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__"))
