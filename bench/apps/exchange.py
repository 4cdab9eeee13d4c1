"""The least that a store can cost: a question and an answer, by nothing but a socket or SQLite.

Threads ask on a connection each, for a session of the usual size, the same one for all.
"""

import os
import socket
import sqlite3
import threading
from urllib.parse import urlsplit

from bench import data
from bench.apps.store import BETWEEN, STORE
from coatcheck.codec import MessagePackCodec

_CONTENT = MessagePackCodec().encode(data.session(0))
_SIZE = len(_CONTENT)
_SCHEMA = "CREATE TABLE IF NOT EXISTS bare (id TEXT PRIMARY KEY, content BLOB NOT NULL)"


def _command(*words: bytes) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(w), w) for w in words)


_GET, _SET = _command(b"GET", b"bare"), _command(b"SET", b"bare", _CONTENT)


class _Redis(threading.local):
    def __init__(self) -> None:
        url = urlsplit(STORE.removeprefix(BETWEEN))
        self._socket = socket.create_connection((url.hostname, url.port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.write()

    def read(self) -> None:
        self._socket.sendall(_GET)
        self._socket.recv(65_536)

    def write(self) -> None:
        self._socket.sendall(_SET)
        self._socket.recv(65_536)


class _SQLite(threading.local):
    def __init__(self) -> None:
        self._file = sqlite3.connect(STORE.removeprefix("sqlite:///"), isolation_level=None)
        self._file.execute("PRAGMA journal_mode = WAL")
        self._file.execute("PRAGMA synchronous = NORMAL")
        self._file.execute(_SCHEMA)
        self._file.execute("INSERT OR REPLACE INTO bare VALUES ('bare', ?)", (_CONTENT,))

    def read(self) -> None:
        self._file.execute("SELECT content FROM bare WHERE id = ?", ("bare",)).fetchone()

    def write(self) -> None:
        # SQLite writes nothing where nothing changes.
        self._file.execute("UPDATE bare SET content = ? WHERE id = ?", (os.urandom(_SIZE), "bare"))


EXCHANGE = _SQLite() if STORE.startswith("sqlite:") else _Redis()
