"""Failures that say what was expected and what came, as no test runner rewrites what is here."""

from collections.abc import Mapping


def expect(came: object, expected: object, what: str) -> None:
    """Compare one thing.

    Args:
        what: it is, as in "sessions in the store".

    Raises:
        AssertionError: they differ.
    """
    expect_all({what: came}, {what: expected}, "")


def expect_all(
    came: Mapping[str, object],
    expected: Mapping[str, object],
    where: str,
    cause: BaseException | None = None,
) -> None:
    """Compare what has a name in `expected`.

    Args:
        where: this is, as in "GET /cart", and why it is to be so.
        cause: what else went wrong, which may explain it.

    Raises:
        AssertionError: something differs; it names all of that.
    """
    wrong = [
        f"{name}:\n    expected {wanted!r}\n    came     {came[name]!r}"
        for name, wanted in expected.items()
        if came[name] != wanted
    ]
    if wrong:
        raise AssertionError("\n  ".join([where, *wrong]).lstrip()) from cause
