"""The file: whatever is done to it, nothing but what was exported gets into a store (R-014)."""

import io
from pathlib import Path
from typing import BinaryIO, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coatcheck import Keyring, MemoryStore, Sealed, Store
from coatcheck.backup import export_sessions, exporting, import_sessions
from coatcheck.backup.layout import FRAME, HEADER_LENGTH, SealedPages, pack_end, pack_page, place
from coatcheck.core.record import Record
from coatcheck.errors import BackupRefused, ConfigurationError
from coatcheck.stores.packed import pack
from coatcheck.stores.protocol import Page
from coatcheck.testing.stores import make_record
from coatcheck.waiting import finish
from tests.backup.filled import all_of, files, put

PAGES = 4


class Whole(NamedTuple):
    """A file, what is in it, and where its frames begin; the last of them is the end."""

    content: bytes
    records: dict[str, Record]
    frames: list[int]

    def frame(self, number: int) -> bytes:
        return self.content[self.frames[number] : [*self.frames, len(self.content)][number + 1]]

    def of(self, *numbers: int) -> bytes:
        """A file of some frames, in some order."""
        return self.content[:HEADER_LENGTH] + b"".join(map(self.frame, numbers))


def whole(keyring: Keyring) -> Whole:
    source, file = MemoryStore(), io.BytesIO()
    records = [make_record(subject=f"user {number}", payload=b"x" * 40) for number in range(8)]
    finish(put(source, records))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exporting, "PAGE", len(records) // PAGES)
        finish(export_sessions(source, file, keyring))
    content, frames, at = file.getvalue(), list[int](), HEADER_LENGTH
    while at < len(content):
        frames.append(at)
        at += FRAME.size + FRAME.unpack_from(content, at)[1]
    assert len(frames) == PAGES + 1
    return Whole(content, {record.id: record for record in records}, frames)


@pytest.fixture(scope="module")
def file(keyring: Keyring) -> Whole:
    return whole(keyring)


def imported(content: bytes | BinaryIO, keyring: Keyring) -> tuple[dict[str, Record], str | None]:
    """What gets into a store, and why not more does."""
    target = MemoryStore()
    stream = io.BytesIO(content) if isinstance(content, bytes) else content
    problem = None
    try:
        finish(import_sessions(target, stream, keyring))
    except BackupRefused as error:
        problem = str(error)
    return finish(all_of(target)), problem


def refused(content: bytes, keyring: Keyring, file: Whole, pages: int) -> str:
    """Why a file is refused, of which nothing but the first `pages` as they were gets in."""
    there, problem = imported(content, keyring)
    assert problem is not None
    assert there.items() <= file.records.items()
    assert len(there) == pages * len(file.records) // PAGES
    return problem


def test_as_it_is_all_of_it_comes_in(file: Whole, keyring: Keyring) -> None:
    assert imported(file.content, keyring) == (file.records, None)


def test_nothing_in_it_can_be_read(file: Whole) -> None:
    """Fails when anything but the header is in clear."""
    for record in file.records.values():
        for secret in (record.id, record.subject or "", record.digest, record.payload):
            assert (secret.encode() if isinstance(secret, str) else secret) not in file.content


@settings(deadline=None, max_examples=300)
@given(data=st.data())
def test_no_bit_can_be_changed(data: st.DataObject, file: Whole, keyring: Keyring) -> None:
    at = data.draw(st.integers(0, len(file.content) - 1))
    changed = bytearray(file.content)
    changed[at] ^= 1 << data.draw(st.integers(0, 7))
    pages = sum(at >= start for start in file.frames[1:])
    refused(bytes(changed), keyring, file, pages)


@settings(deadline=None, max_examples=200)
@given(data=st.data())
def test_wherever_it_is_cut_off_what_is_whole_comes_in(
    data: st.DataObject, file: Whole, keyring: Keyring
) -> None:
    """Between two pages, too. Fails when the end may be missing."""
    length = data.draw(st.integers(0, len(file.content) - 1) | st.sampled_from(file.frames))
    pages = sum(length >= start for start in file.frames[1:])
    assert f"is cut off after page {pages}: take a whole copy" in refused(
        file.content[:length], keyring, file, pages
    )


@settings(deadline=None)
@given(more=st.binary(min_size=1, max_size=80))
def test_nothing_follows_the_end(more: bytes, file: Whole, keyring: Keyring) -> None:
    assert "page 5 is damaged" in refused(file.content + more, keyring, file, PAGES)
    assert "page 5 is damaged" in refused(file.content + file.frame(4), keyring, file, PAGES)


@settings(deadline=None)
@given(numbers=st.lists(st.integers(0, PAGES), max_size=PAGES + 3))
def test_pages_are_in_their_places_or_refused(
    file: Whole, keyring: Keyring, numbers: list[int]
) -> None:
    """Left out, repeated, in another order. Fails when a page is not bound to its place."""
    if numbers[: PAGES + 1] == list(range(PAGES + 1)):
        numbers = numbers[:PAGES]
    right = next((n for n, each in enumerate(numbers) if n != each), len(numbers))
    refused(file.of(*numbers), keyring, file, right)


@pytest.mark.parametrize("number", range(PAGES + 1))
def test_a_page_of_another_file_is_refused(number: int, file: Whole, keyring: Keyring) -> None:
    """Fails when a page is not bound to its file: an old page would bring back what it holds."""
    other = whole(keyring)
    frames = [file.frame(each) for each in range(PAGES + 1)]
    frames[number] = other.frame(number)
    mixed = file.content[:HEADER_LENGTH] + b"".join(frames)
    assert f"page {number + 1} is damaged or forged" in refused(mixed, keyring, file, number)
    swapped = other.content[:HEADER_LENGTH] + file.content[HEADER_LENGTH:]
    assert "page 1 is damaged or forged" in refused(swapped, keyring, file, 0)


def test_a_page_is_no_end_and_no_end_a_page(file: Whole, keyring: Keyring) -> None:
    """Fails when the letter of a frame is not bound: a file would end where somebody says so."""
    sealed, header = SealedPages(keyring), file.content[:HEADER_LENGTH]
    page = sealed.wrap(pack_page(Page([], None)), place(header, b"P", 1))
    as_end = FRAME.pack(b"E", len(page)) + page
    assert "damaged" in refused(file.of(0) + as_end, keyring, file, 1)
    other = sealed.wrap(pack_end(0), place(header, b"X", 1))
    unknown = FRAME.pack(b"X", len(other)) + other
    assert "damaged" in refused(file.of(0) + unknown, keyring, file, 1)


def test_an_end_that_counts_otherwise_is_refused(file: Whole, keyring: Keyring) -> None:
    header = file.content[:HEADER_LENGTH]
    end = SealedPages(keyring).wrap(pack_end(7), place(header, b"E", PAGES))
    content = file.of(*range(PAGES)) + FRAME.pack(b"E", len(end)) + end
    assert "page 5 is damaged" in refused(content, keyring, file, PAGES)


def test_a_length_that_is_said_takes_no_memory(file: Whole, keyring: Keyring) -> None:
    """Fails when what the file says of itself is asked for at once, before it is known."""
    asked: list[int] = []

    class Asked(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            asked.append(size or 0)
            return super().read(size)

    for length in (2**30, 2**32 - 1):
        there, problem = imported(Asked(file.of() + FRAME.pack(b"P", length)), keyring)
        assert there == {}
        assert problem is not None
    assert 0 < max(asked) <= 2**20


def test_another_key_opens_nothing_and_is_named(file: Whole, keyring: Keyring) -> None:
    other = Keyring(Keyring.new_key())
    assert f"sealed by key {keyring.ids[0]}, which is not among the keys given" in refused(
        file.content, other, file, 0
    )


def test_keys_change(key: str, file: Whole) -> None:
    new = Keyring.new_key()
    both = Keyring(new, key, setting="backup")
    assert imported(file.content, both) == (file.records, None)
    newer = whole(both)
    assert imported(newer.content, Keyring(new, setting="backup")) == (newer.records, None)


def test_the_applications_keyring_serves_both_and_neither_reads_the_other(
    file: Whole, keyring: Keyring
) -> None:
    """Fails when the key is not one of its own: what a session holds would be taken for a page."""
    about = place(file.content[:HEADER_LENGTH], b"P", 0)
    (record, *_) = file.records.values()
    page = Sealed(keyring).wrap(pack_page(Page([record], None)), about)
    forged = file.of() + FRAME.pack(b"P", len(page)) + page
    assert "page 1 is damaged or forged" in refused(forged, keyring, file, 0)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is cut off"),
        (b"SQLite format 3\0" + bytes(100), "no file that coatcheck exported"),
        (b"coatcheck sessions 2\n" + bytes(100), "of another version: use the coatcheck"),
    ],
)
def test_what_is_no_such_file_is_refused(content: bytes, problem: str, keyring: Keyring) -> None:
    assert problem in (imported(content, keyring)[1] or "")


def test_a_record_of_another_version_is_refused_with_its_page(keyring: Keyring) -> None:
    """Fails when it is left out without a word."""
    record = make_record()
    header = whole(keyring).content[:HEADER_LENGTH]
    packed = pack(record)
    page = pack_page(Page([record, make_record()], None)).replace(packed, b"S" + packed[1:])
    sealed = SealedPages(keyring)
    frame = sealed.wrap(page, place(header, b"P", 0))
    there, problem = imported(header + FRAME.pack(b"P", len(frame)) + frame, keyring)
    assert there == {}
    assert "page 1 holds what this version cannot read" in (problem or "")


def test_a_file_of_nothing_is_one(keyring: Keyring) -> None:
    """Fails when a file of which all was taken away is taken for one."""
    file = io.BytesIO()
    finish(export_sessions(MemoryStore(), file, keyring))
    assert imported(file.getvalue(), keyring) == ({}, None)
    assert imported(file.getvalue()[:HEADER_LENGTH], keyring)[1] is not None


async def test_without_a_keyring_nothing_is_written(path: Path, store: Store) -> None:
    with pytest.raises(ConfigurationError, match="no Keyring"):
        await export_sessions(store, path, None)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert files(path.parent) == {}
