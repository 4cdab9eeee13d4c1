"""The codec: every type comes back as itself, or is refused by name."""

# Values of any type are what this is about.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

# ruff: noqa: DTZ001 - naive times are among what must come back as it was

import dataclasses
import datetime as dt
import enum
import pickle
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coatcheck.codec import MessagePackCodec
from coatcheck.core.envelope import Checked
from coatcheck.errors import Undecodable

codec = MessagePackCodec()
BERLIN = ZoneInfo("Europe/Berlin")

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(allow_nan=False),
    st.text(),
    st.binary(max_size=50),
    st.datetimes(),
    st.datetimes(timezones=st.just(dt.timezone(dt.timedelta(hours=-3, minutes=-30)))),
    st.dates(),
    st.times(),
    st.timedeltas(),
    st.uuids(),
    st.decimals(allow_nan=False),
)
hashables = st.one_of(st.integers(0, 9), st.text(max_size=3), st.tuples(st.integers(0, 3)))
values: st.SearchStrategy[Any] = st.recursive(
    st.one_of(scalars, st.sets(hashables), st.frozensets(hashables)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.one_of(st.text(max_size=5), st.integers(0, 9)), inner, max_size=4),
    ),
    max_leaves=12,
)


def typed(value: Any) -> Any:
    """Return a value with the type of every part spelled out, so that 1 is not True."""
    if isinstance(value, dict):
        return [(typed(key), typed(item)) for key, item in value.items()]
    if isinstance(value, list | tuple):
        return type(value).__name__, [typed(item) for item in value]
    if isinstance(value, set | frozenset):
        return type(value).__name__, sorted(map(repr, value))
    return type(value).__name__, repr(value)


@given(st.dictionaries(st.text(max_size=8), values, max_size=5))
def test_data_comes_back_as_it_was(data: dict[str, Any]) -> None:
    assert typed(codec.decode(codec.encode(data))) == typed(data)


@given(st.sets(hashables, max_size=8))
def test_equal_sets_have_equal_bytes(items: set[Any]) -> None:
    """Sets have no order of their own; an unchanged session must not look changed."""
    again = set(sorted(items, key=repr, reverse=True))  # noqa: C414 - another order of insertion
    assert codec.encode({"s": items}) == codec.encode({"s": again})


def test_both_passes_of_a_repeated_hour_come_back() -> None:
    twice = [dt.datetime(2026, 10, 25, 2, 30, fold=fold) for fold in (0, 1)]
    assert [d.fold for d in codec.decode(codec.encode({"d": twice}))["d"]] == [0, 1]


def test_an_aware_time_keeps_its_instant_and_offset() -> None:
    here = dt.datetime(2026, 7, 1, 12, tzinfo=BERLIN)
    back = codec.decode(codec.encode({"d": here}))["d"]
    assert back == here
    assert back.utcoffset() == dt.timedelta(hours=2)


@dataclasses.dataclass
class Point:
    x: int = 1


class Colour(enum.StrEnum):
    RED = "red"


class Level(enum.IntEnum):
    LOW = 1


class Plain(enum.Enum):
    ONE = 1


class Pair(NamedTuple):
    left: int
    right: int


class Share(float): ...


class Text(str): ...


class Table(dict[str, int]): ...


class Items(list[int]): ...


class When(dt.datetime): ...


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (Colour.RED, "red"), (Level.LOW, 1), (Share(0.5), 0.5), (Text("x"), "x"),
        (Table(a=1), {"a": 1}), (Items([1]), [1]), (OrderedDict(a=Text("x")), {"a": "x"}),
        ({Colour.RED: Level.LOW, Level.LOW: Colour.RED}, {"red": 1, 1: "red"}),
    ],
    ids=repr,
)  # fmt: skip
@pytest.mark.parametrize("depth", ["flat", "in a list", "in a tuple"])
def test_subclasses_of_what_json_holds_come_back_as_that(
    value: object, plain: object, depth: str
) -> None:
    """As from a framework's own sessions. Fails when they are refused, or kept as they are."""
    nested, expected = {
        "flat": (value, plain),
        "in a list": ({"k": [value]}, {"k": [plain]}),
        "in a tuple": ([(value,)], [(plain,)]),
    }[depth]
    content = codec.encode({"profile": nested})
    assert typed(codec.decode(content)["profile"]) == typed(expected)
    assert content == codec.encode({"profile": expected}), "it has not changed by coming back"


def test_a_key_that_is_a_kind_of_text_comes_back_as_text() -> None:
    (key,) = codec.decode(codec.encode({Colour.RED: 1}))
    assert type(key) is str


@pytest.mark.parametrize(
    "value",
    [
        Point(), Plain.ONE, object(), Point, Pair(1, 2), When(2026, 1, 1), 1j, bytearray(b"x"),
        memoryview(b"x"), range(3), {"a": 1}.items(), {(1, 2): 3}, {b"x": 1}, 2**70, "\ud800", len,
    ],
    ids=lambda value: repr(value).split(" at 0x")[0][:30],  # no address: the same in each run
)  # fmt: skip
@pytest.mark.parametrize("depth", ["flat", "in a list", "in a tuple"])
def test_other_types_are_refused_by_key(value: object, depth: str) -> None:
    """Also subclasses of what JSON lacks: nobody knows what they would come back as."""
    nested = {"flat": value, "in a list": {"k": [value]}, "in a tuple": [(value,)]}[depth]
    with pytest.raises(TypeError, match="'profile") as raised:
        codec.encode({"fine": 1, "profile": nested})
    assert raised.type is TypeError, "no name of the library's own shows in a traceback"


@pytest.mark.parametrize("text", ["\u0104", "\u0144", "\u0184"])
def test_text_that_looks_like_binary_data_is_none(text: str) -> None:
    """In UTF-8 it has bytes that mark binary data; whoever is warned must look, not refuse."""
    data = {"a": [{"b": text * 20}], "c": (text,)}
    assert typed(codec.decode(codec.encode(data))) == typed(data)


NESTINGS: dict[str, Callable[[Any], Any]] = {
    "list": lambda inner: [inner],
    "dict": lambda inner: {"k": inner},
    "int key": lambda inner: {1: inner},
    "tuple": lambda inner: (inner,),
    "set": lambda inner: frozenset([inner]),
}


@pytest.mark.parametrize("nest", NESTINGS.values(), ids=NESTINGS)
def test_what_can_be_stored_can_be_read_again_however_deep(nest: Callable[[Any], Any]) -> None:
    """Also by a request that is deep in its own stack. Fails without a limit of our own."""
    contents: list[bytes] = []
    with pytest.raises(TypeError, match="'deep"):
        encode_deeper_and_deeper(nest, contents)
    assert len(contents) >= 64
    for content in contents:
        assert codec.encode(in_a_deep_stack(content)) == content


def encode_deeper_and_deeper(nest: Callable[[Any], Any], contents: list[bytes]) -> None:
    value: Any = 1
    for _ in range(500):
        value = nest(value)
        contents.append(codec.encode({"deep": value}))


def in_a_deep_stack(content: bytes, depth: int = 400) -> dict[str, Any]:
    return in_a_deep_stack(content, depth - 1) if depth else codec.decode(content)


class Meddling(dt.tzinfo):
    """Changes the data while a time in it is encoded, as another thread may."""

    def __init__(self, change: Callable[[], object]) -> None:
        self._change = change

    def utcoffset(self, when: dt.datetime | None, /) -> dt.timedelta:
        self._change()
        return dt.timedelta(0)

    def dst(self, when: dt.datetime | None, /) -> None: ...

    def tzname(self, when: dt.datetime | None, /) -> str:
        return "UTC"


def test_data_that_changes_while_it_is_encoded_is_refused_or_what_it_is_then() -> None:
    """Fails when anything of Python runs inside the encoder, which would then crash, too."""
    inner: dict[str, Any] = {}
    inner["at"] = dt.datetime(2020, 1, 1, tzinfo=Meddling(lambda: inner.pop("later", None)))
    inner["later"] = 1
    with pytest.raises(RuntimeError, match="changed size"):
        codec.encode({"d": inner})
    items: list[Any] = []
    items += [dt.datetime(2020, 1, 1, tzinfo=Meddling(items.clear))]
    items += [[number] for number in range(1_000)]
    assert codec.decode(codec.encode({"l": items})) == {
        "l": [dt.datetime(2020, 1, 1, tzinfo=dt.UTC)]
    }


def test_keys_are_text() -> None:
    with pytest.raises(TypeError, match="session key 1 is an int"):
        codec.encode({1: 2})  # type: ignore[dict-item] # pyright: ignore[reportArgumentType]


def test_a_structure_without_end_is_refused() -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(TypeError, match="'loop'"):
        codec.encode({"loop": loop})


PAYLOADS = [
    b"",
    b"\xc1",
    b"\x93\x01\x02\x03",
    b"\x81\x01\x02",
    codec.encode({"when": dt.datetime(2026, 1, 1)})[:-1],
    b"\x81\xa1a\xc7\x01\x63x",  # an extension type of nobody
    b"\x81\xa1a\xc7\x03\x01xyz",  # a datetime that is none
    b"\x81\xa1a\xd4\x06x",  # a decimal that is none
    pickle.dumps({"a": 1}),
    b"!!python/object/apply:os.system ['touch /tmp/canary']",
    b'{"__class__": "os.system"}',
    b"\x91" * 100_000,
]


@pytest.mark.parametrize("payload", PAYLOADS)
def test_what_is_not_ours_is_not_decoded(payload: bytes) -> None:
    """R-012, R-013: no pickle, no fallback, one error."""
    with pytest.raises(Undecodable):
        codec.decode(payload)


@given(st.binary(max_size=80))
def test_arbitrary_bytes_decode_or_are_undecodable(payload: bytes) -> None:
    try:
        decoded = codec.decode(payload)
    except Undecodable:
        return
    assert isinstance(decoded, dict)


@given(st.binary(max_size=40), st.binary(max_size=40), st.data())
def test_the_envelope_finds_a_changed_byte_and_a_foreign_record(
    content: bytes, about: bytes, data: st.DataObject
) -> None:
    """R-013: fails when the checksum leaves out the content or what it is about."""
    envelope = Checked()
    payload = envelope.wrap(content, about)
    assert envelope.unwrap(payload, about) == content
    with pytest.raises(Undecodable):
        envelope.unwrap(payload, about + b"x")
    at = data.draw(st.integers(0, len(payload) - 1))
    flipped = bytearray(payload)
    flipped[at] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(Undecodable):
        envelope.unwrap(bytes(flipped), about)
