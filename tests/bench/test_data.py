"""The sessions of the benchmark are as large as it says."""

from bench import data
from coatcheck.codec import MessagePackCodec


def test_every_session_has_a_thousand_bytes() -> None:
    sizes = {len(MessagePackCodec().encode(data.session(number))) for number in (0, 255, 9_999)}
    assert sizes == {1_000}


def test_no_two_sessions_are_of_one_user() -> None:
    assert len({data.session(number)["user"] for number in range(5_000)}) == 5_000
