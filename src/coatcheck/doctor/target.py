"""Load what the command line names."""

import importlib
import sys
from inspect import Parameter, signature
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from coatcheck.doctor.answer import Caller
from coatcheck.doctor.asgi_caller import AsgiCaller
from coatcheck.doctor.failure import CannotRun
from coatcheck.doctor.wsgi_caller import WsgiCaller
from coatcheck.errors import CoatcheckError


def load(name: str) -> Any:
    """Return what `module:name` names; modules are also looked for in the working directory.

    Raises:
        CannotRun: there is no such thing.
    """
    module, _, path = name.partition(":")
    if not module or not path:
        raise CannotRun("is neither a URL nor module:name", name, "write such as shop.main:app")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        thing: Any = importlib.import_module(module)
    except CoatcheckError as error:
        raise CannotRun(f"refuses to start: {error}", name, "correct that setting") from None
    except ModuleNotFoundError as error:
        what = f"there is no module {error.name}"
        raise CannotRun(what, name, "start in the folder of the application") from None
    except Exception as error:
        what = f"importing it raised {type(error).__name__}"
        raise CannotRun(what, name, f"try python -c 'import {module}'") from None
    for part in path.split("."):
        if not hasattr(thing, part):
            raise CannotRun(f"the module has no {part}", name, "name the application in it")
        thing = getattr(thing, part)
    return thing


def caller(app: Any, name: str, host: str) -> Caller:
    """Return a client of an ASGI or WSGI application.

    Raises:
        CannotRun: it is neither, or does not start.
    """
    try:
        kinds = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
        parameters = signature(app).parameters.values()
        taken = sum(p.kind in kinds and p.default is Parameter.empty for p in parameters)
    except (TypeError, ValueError):
        taken = 0
    if taken == 3:
        return AsgiCaller(app, host)
    if taken == 2:
        return WsgiCaller(app, host)
    raise CannotRun(
        "is no ASGI or WSGI application", name, "name one, or serve it and give its URL"
    )


def path_of(url: str) -> str:
    """Return the path of a URL, with its query."""
    parts = urlsplit(url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def shown_url(url: str) -> str:
    """Return a URL without user, password, query and fragment, which may be secret."""
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return "(no URL)"
    return urlunsplit((parts.scheme, host, parts.path, "", "")) if parts.scheme else "(no URL)"
