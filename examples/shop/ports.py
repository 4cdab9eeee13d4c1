"""Ports on loopback: free ones to use, and whether a wanted one can be had."""

import socket
from collections.abc import Iterator
from itertools import islice
from random import SystemRandom
from typing import Final

_RANGE: Final = range(20_000, 32_768)


def free_ports(count: int) -> list[int]:
    """Return `count` different ports that nobody listens on.

    They are below those that the system gives to clients and to who asks for any port, so that
    nobody has them a moment later, when the servers that are meant to listen on them have started.
    """
    return list(islice(_free(), count))


def _free() -> Iterator[int]:
    for port in SystemRandom().sample(_RANGE, len(_RANGE)):
        if is_free(port):
            yield port


def is_free(port: int) -> bool:
    """Say whether a server could listen on `port` now."""
    try:
        _bound(port).close()
    except OSError:
        return False
    return True


def _bound(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError:
        listener.close()
        raise
    return listener
