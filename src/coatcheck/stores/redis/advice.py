"""Why a server does not serve, in our words: a driver's own text may hold values."""

import inspect
import re
import socket
import ssl
from typing import Any

from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    NoPermissionError,
    ReadOnlyError,
    RedisError,
)
from redis.exceptions import TimeoutError as TimedOut

_RUNS = "see that it runs, and host and port"
_LATE = f"{{}} does not answer in time: {_RUNS}, and whether it speaks TLS"
_CAUSES: tuple[tuple[type[BaseException], str], ...] = (
    (AuthenticationError, "{} refuses the user or password: see {}"),
    (NoPermissionError, "{}'s user lacks a right: see what a store sends in the page on Redis"),
    (BusyLoadingError, "{} is just starting: try again"),
    (ReadOnlyError, "{} is a replica: name the master"),
    (socket.gaierror, "{} has a name that nobody knows: see it in the URL"),
    (ssl.SSLError, "{} and this machine do not agree on TLS: see port, scheme and certificates"),
    (ConnectionRefusedError, f"nothing listens on {{}}: {_RUNS}"),
    (FileNotFoundError, f"nothing listens on {{}}: {_RUNS}"),
    (TimedOut, _LATE),
    (TimeoutError, _LATE),
)


def advice(
    error: BaseException | None, where: str, login: str = "user and password in the URL"
) -> str:
    """Say what is the case and what to do.

    Args:
        error: the driver's.
        where: the server, where the error does not name it.
        login: what the user and the password are set by.
    """
    if found := re.search(r"connecting to (\S+:\d+)\.", str(error)):
        where = found[1]
    chain = _chain(error)
    for kind, said in _CAUSES:
        if any(isinstance(each, kind) for each in chain):
            return said.format(where, login)
    return f"{where} does not answer ({type(error).__name__}): {_RUNS}"


async def advice_of_sentinels(manager: Any, service: str) -> str:
    """Ask each sentinel why none names a master, and say what to do.

    Args:
        manager: of redis-py, of either kind.
    """
    known: set[str] = set()
    troubles: dict[str, None] = {}
    for sentinel in manager.sentinels:
        settings = sentinel.connection_pool.connection_kwargs
        where = f"the sentinel {settings['host']}:{settings['port']}"
        try:
            masters = sentinel.sentinel_masters()
            known |= (await masters if inspect.isawaitable(masters) else masters).keys()
        except (RedisError, OSError) as error:
            login = "sentinel_username and sentinel_password in the URL"
            troubles[advice(error, where, login)] = None
    if service in known:
        return f"the sentinels take the master `{service}` for dead: see what became of it"
    if known:
        others = ", ".join(f"`{name}`" for name in sorted(known))
        return f"no sentinel knows a master `{service}`, but {others}: see its name in the URL"
    if troubles:
        return "; ".join(troubles)
    return f"no sentinel knows a master `{service}`, or any: see `sentinel monitor` in its file"


def _chain(error: BaseException | None) -> list[BaseException]:
    """Return an error and what led to it, the last first."""
    chain: list[BaseException] = []
    while error is not None and error not in chain:
        chain.append(error)
        error = error.__cause__ or error.__context__
    return chain
