"""The reference says of each public name what its docstring says, and is not out of date."""

from importlib import import_module

import pytest

import coatcheck
from tools import api


def test_the_pages_are_as_the_source_is() -> None:
    """`python tools/api.py --fix` writes them."""
    old = {path.name: path.read_text() for path in api.FOLDER.glob("*.md")}
    assert old == {path.name: text for path, text in api.pages().items()}


@pytest.mark.parametrize("module", api.PUBLIC)
def test_every_name_is_there_and_is_explained(module: str) -> None:
    for name in api.names_of(module):
        assert hasattr(import_module(module), name)
        assert api.find(module, name).doc, name


def test_nothing_public_is_left_out() -> None:
    assert set(api.names_of("coatcheck")) == set(coatcheck.__all__)


def test_a_docstring_keeps_its_words() -> None:
    doc = (
        "Do it.\n\nArgs:\n    a, b: what,\n        and why: so.\n\nRaises:\n    OSError: it is not."
    )
    assert api.markdown(doc) == (
        "Do it.\n\nArgs:\n\n- `a`, `b`: what, and why: so.\n\nRaises:\n\n- `OSError`: it is not."
    )
