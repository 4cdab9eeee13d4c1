"""Feed what reads bytes of strangers with bytes that cover ever more of its code (atheris).

`python -m tests.attacks.fuzz cookies 20000`; it ends with 0, or with what went wrong.
"""

import sys
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

atheris: Any = import_module("atheris")  # there are no types of it, and not on each platform
with atheris.instrument_imports(include=["coatcheck"], enable_loader_override=False):
    from coatcheck.codec import MessagePackCodec
    from coatcheck.core.compressed import Compressed
    from coatcheck.core.envelope import Checked
    from coatcheck.core.info import SessionInfo
    from coatcheck.core.record import Record
    from coatcheck.core.standing import judge
    from coatcheck.core.token import Token
    from coatcheck.errors import Undecodable
    from coatcheck.stores.packed import pack, pack_tombstone, unpack
    from coatcheck.testing import make_record, make_tombstone
    from coatcheck.web import BearerTransport, CookieTransport

TOKEN = Token.mint(lambda size: bytes(range(size)))
RECORD = make_record(subject="alice")
DATA = {"cart": [1, 2.5, None, True], "name": "alice", "raw": b"\xff", "pair": (1, {"a": "b"})}
codec, envelope, cookies = MessagePackCodec(), Compressed(Checked(), above=64), CookieTransport()


def read_cookies(data: bytes) -> None:
    """What comes out stands in what went in, exactly as it is spelled; nothing is raised."""
    headers = [(b"cookie", part) for part in data.split(b"\0")]
    for found in [*cookies.read(headers), *BearerTransport().read([(b"authorization", data)])]:
        if found.token is not None:
            assert found.token.reveal().encode() in data
            assert Token.parse(found.token.reveal()) == found.token


def read_record(data: bytes) -> None:
    """It is a record of that very id, or unreadable."""
    with suppress(Undecodable):
        stored = unpack(RECORD.id, data)
        judge(TOKEN, stored, RECORD.seen_at)
        if isinstance(stored, Record):
            assert stored.id == RECORD.id
            repr(stored)
            SessionInfo.of(stored)
            codec.decode(envelope.unwrap(stored.payload, stored.bound_to()))


def read_data(data: bytes) -> None:
    """It is data that can be written again, or unreadable."""
    with suppress(Undecodable):
        decoded = codec.decode(data)
        assert codec.decode(codec.encode(decoded)) is not None
    with suppress(Undecodable):
        envelope.unwrap(data, b"")


def _filled() -> Record:
    content = codec.encode(DATA)
    return RECORD._replace(payload=envelope.wrap(content, RECORD.bound_to()))


TARGETS: dict[str, tuple[Callable[[bytes], None], list[bytes]]] = {
    "cookies": (
        read_cookies,
        [
            f"__Host-sid={TOKEN.reveal()}".encode(),
            f'a="b; __Host-anon={TOKEN.reveal()};__Host-sid=x\0c=d'.encode(),
            f"Bearer {TOKEN.reveal()}".encode(),
        ],
    ),
    "records": (
        read_record,
        [pack(_filled()), pack_tombstone(make_tombstone(RECORD.id))],
    ),
    "data": (read_data, [codec.encode(DATA), envelope.wrap(codec.encode(DATA) * 9, b"")]),
}


def main(target: str, runs: str) -> None:
    read, seeds = TARGETS[target]
    with TemporaryDirectory() as corpus:
        for number, seed in enumerate(seeds):
            (Path(corpus) / str(number)).write_bytes(seed)
        arguments = [sys.argv[0], f"-runs={runs}", "-seed=1", "-max_len=2048"]
        arguments += [f"-artifact_prefix={corpus}/", corpus]
        atheris.Setup(arguments, read)
        atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
