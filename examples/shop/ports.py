"""Ports on loopback: free ones to use, and whether a wanted one can be had."""

import contextlib
import socket


def free_ports(count: int) -> list[int]:
    """Return `count` different ports that nobody listens on; all are held until all are known."""
    with contextlib.ExitStack() as held:
        return [held.enter_context(_bound(0)).getsockname()[1] for _ in range(count)]


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
