"""What is known already takes bounded memory."""

from coatcheck.core.once import Once


def test_a_key_is_new_once() -> None:
    known = Once()
    assert [known.is_first(key) for key in ("a", "b", "a")] == [True, True, False]
    known.add("c")
    assert "c" in known
    assert not known.is_first("c")
    assert "d" not in known


def test_many_keys_take_no_more_memory_than_there_is_room() -> None:
    """Fails when nothing is forgotten, and when a full set takes nothing up any more."""
    known = Once(100)
    for number in range(10_000):
        assert known.is_first(number)
        assert number in known
    assert sum(number in known for number in range(10_000)) <= 100
