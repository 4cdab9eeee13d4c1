"""How one process of the shop lives: it serves an app until it is told to stop or is orphaned.

The parent holds the other end of a leashed process's stdin. However the parent dies, `kill -9`
included, the kernel closes that end, the read below returns, and nothing stays behind. It needs no
signal, no polling and no system call of one operating system.
"""

import argparse
import contextlib
import os
import sys
import threading
import time
from typing import Final

import uvicorn
from starlette.types import ASGIApp

GRACE: Final = 5  # seconds that open requests have to finish in
KEPT_OPEN: Final = 6  # seconds that an idle connection is kept


def arguments(description: str) -> argparse.ArgumentParser:
    """Return a parser with the options that every process of the shop has."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--leashed", action="store_true", help="stop when stdin is closed")
    return parser


def serve(app: ASGIApp, *, port: int, leashed: bool, date_header: bool = True) -> None:
    """Serve `app` on 127.0.0.1:`port`; returns after SIGTERM, Ctrl-C or the parent's death.

    `proxy_headers` is off: who the client is and whether it came over https is for coatcheck's
    middleware to decide, which knows the trusted proxies.
    """
    config = uvicorn.Config(
        app,
        host="127.0.0.1",
        port=port,
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=date_header,
        proxy_headers=False,
        ws="none",
        timeout_keep_alive=KEPT_OPEN,
        timeout_graceful_shutdown=GRACE,
    )
    server = uvicorn.Server(config)
    if leashed:
        threading.Thread(target=_heel, args=(server,), daemon=True).start()
    with contextlib.suppress(KeyboardInterrupt):
        server.run()
    if not server.started:
        sys.exit(1)


def _heel(server: uvicorn.Server) -> None:
    """Stop `server` when the parent is gone; firmly, should it hang."""
    while os.read(0, 1):  # the descriptor, not sys.stdin, whose lock would outlive this thread
        pass
    server.should_exit = True
    time.sleep(2 * GRACE)
    os._exit(1)
