"""Compression: smaller where it pays, the same bytes back, and no bomb."""

import tracemalloc
import zlib
from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from coatcheck import Compressed, Keyring, Sealed
from coatcheck.core.compressed import LIMIT
from coatcheck.core.envelope import Checked, Envelope
from coatcheck.errors import ConfigurationError, Undecodable

ABOUT = b"a record"
LARGE = b"the same again and " * 200
INNER: list[Envelope] = [Checked(), Sealed(Keyring(Keyring.new_key()))]


def deflate(content: bytes) -> bytes:
    return zlib.compress(content, 9, -15)


@pytest.mark.parametrize("inner", INNER, ids=["checked", "sealed"])
def test_data_above_the_size_gets_smaller_and_below_it_stays_as_it_is(inner: Envelope) -> None:
    envelope = Compressed(inner, above=len(LARGE) - 1)
    assert len(envelope.wrap(LARGE, ABOUT)) < len(LARGE) // 10
    assert envelope.unwrap(envelope.wrap(LARGE, ABOUT), ABOUT) == LARGE
    assert inner.unwrap(envelope.wrap(LARGE[1:], ABOUT), ABOUT) == LARGE[1:]


def test_data_that_does_not_get_smaller_is_stored_as_it_is() -> None:
    noise = bytes(range(128, 192))
    assert Compressed(above=0).wrap(noise, ABOUT) == Checked().wrap(noise, ABOUT)


def test_what_was_stored_without_compression_is_read() -> None:
    """M23: it is turned on without ending a session. Fails when all data carries a mark."""
    assert Compressed(above=0).unwrap(Checked().wrap(LARGE, ABOUT), ABOUT) == LARGE


@given(st.binary(max_size=300), st.integers(0, 64), st.integers(1, 40))
@example(b"\xc1", 0, 1)
@example(b"\xc1z\xc1s", 1, 1)
def test_every_content_comes_back(content: bytes, above: int, times: int) -> None:
    envelope, content = Compressed(above=above), content * times
    assert envelope.unwrap(envelope.wrap(content, ABOUT), ABOUT) == content


@pytest.mark.parametrize("size", [LIMIT, LIMIT + 1])
def test_data_about_the_limit_comes_back(size: int) -> None:
    envelope = Compressed()
    payload = envelope.wrap(bytes(size), ABOUT)
    assert envelope.unwrap(payload, ABOUT) == bytes(size)
    assert (len(payload) > LIMIT) is (size > LIMIT)


def test_a_bomb_does_not_go_off() -> None:
    """R-082: fails when as much is expanded as there is: 64 MB here, from 64 kB."""
    bomb = Checked().wrap(b"\xc1z" + deflate(bytes(64 * LIMIT)), ABOUT)
    tracemalloc.start()
    try:
        with pytest.raises(Undecodable, match="more than"):
            Compressed().unwrap(bomb, ABOUT)
        assert tracemalloc.get_traced_memory()[1] < 4 * LIMIT
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "stream",
    [deflate(LARGE)[:-1], deflate(LARGE) + b"\0", b"", b"\xff" * 40],
    ids=["cut", "followed", "nothing", "noise"],
)
def test_a_corrupt_stream_is_undecodable(stream: bytes) -> None:
    """R-013: bound to the record well, so that only the stream tells."""
    payload = Checked().wrap(b"\xc1z" + stream, ABOUT)
    with pytest.raises(Undecodable):
        Compressed().unwrap(payload, ABOUT)


def test_an_unknown_kind_of_compression_is_undecodable() -> None:
    for content in (b"\xc1", b"\xc1?data"):
        with pytest.raises(Undecodable):
            Compressed().unwrap(Checked().wrap(content, ABOUT), ABOUT)


@given(st.binary(max_size=200))
def test_any_stream_is_content_or_undecodable(stream: bytes) -> None:
    with suppress(Undecodable):
        Compressed().unwrap(Checked().wrap(b"\xc1z" + stream, ABOUT), ABOUT)


@pytest.mark.parametrize(
    ("setting", "arguments"),
    [
        ("inner", {"inner": Checked}),
        ("inner", {"inner": Keyring(Keyring.new_key())}),
        ("above", {"above": -1}),
        ("above", {"above": "1k"}),
    ],
    ids=["a class", "a keyring", "below zero", "a text"],
)
def test_a_wrong_setting_is_named(setting: str, arguments: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError) as wrong:
        Compressed(**arguments)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    assert wrong.value.setting == setting
