# pyright: reportUnnecessaryTypeIgnoreComment=true
"""What type checkers know of a session's typed keys: run by pytest, read by mypy and pyright.

Both complain about an ignored error that is none, so each ignore proves an error.
"""

from typing import Any, ClassVar, assert_type

import pytest

from coatcheck import SessionData, default


class Shop(SessionData):
    count: ClassVar[int] = 3  # is the class's own

    language: str = "en"
    cart: dict[str, int] = default(dict[str, int])
    seen: list[str] = default(lambda: ["home"])
    nickname: str | None = None
    age: int


def test_what_is_read_has_the_type_that_is_written_there() -> None:
    shop = Shop({"age": 7})
    assert_type(shop.language, str)
    assert_type(shop.cart, dict[str, int])
    assert_type(shop.cart.get("hat"), int | None)
    assert_type(shop.seen, list[str])
    assert_type(shop.nickname, str | None)
    assert_type(shop.age, int)
    assert_type(shop.count, int)


def test_what_is_set_must_be_of_that_type() -> None:
    data: dict[str, Any] = {}
    shop = Shop(data)
    shop.language = "de"
    shop.nickname = None
    shop.language = 1  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue]
    shop.cart["hat"] = "1"  # type: ignore[assignment]  # pyright: ignore[reportArgumentType]
    shop.age = None  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(AttributeError, match="langauge"):
        shop.langauge = "de"  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(AttributeError):
        str(shop.langauge)  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownArgumentType]


def test_a_default_must_be_of_that_type() -> None:
    class Wrong(SessionData):
        language: str = 1  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
        cart: dict[str, int] = default(list[int])  # type: ignore[arg-type]  # pyright: ignore[reportAssignmentType]

    assert Wrong({}).cart == []  # type: ignore[comparison-overlap]


def test_only_a_mapping_of_text_will_do() -> None:
    Shop({1: 2})  # type: ignore[dict-item]  # pyright: ignore[reportArgumentType]
    Shop(None)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
