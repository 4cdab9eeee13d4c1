"""The order of a user's sessions, and how few entries have to be moved for it."""

from hypothesis import given
from hypothesis import strategies as st

from coatcheck.backup.order import in_order, misplaced, opened_at
from coatcheck.testing.stores import make_record


def test_the_later_of_both_times_counts() -> None:
    assert opened_at(make_record(created_at=5, authenticated_at=None)) == 5
    assert opened_at(make_record(created_at=5, authenticated_at=9)) == 9
    assert opened_at(make_record(created_at=9, authenticated_at=5)) == 9  # an impersonation


@given(times=st.lists(st.integers(0, 4), max_size=6), data=st.data())
def test_moving_what_is_misplaced_puts_all_in_order(times: list[int], data: st.DataObject) -> None:
    wanted = in_order(make_record(id=f"{n}", created_at=time) for n, time in enumerate(times))
    assert [record.created_at for record in wanted] == sorted(times)
    ids = [record.id for record in wanted]
    listed = data.draw(st.permutations([*ids[: len(ids) // 2], "gone", *ids[len(ids) // 2 :]]))
    for record in misplaced(listed, wanted):
        listed.remove(record.id)
        listed.append(record.id)
    assert [id for id in listed if id != "gone"] == ids
    assert misplaced(listed, wanted) == []
