"""Prediction: the next token follows from those before it.

R-001, R-007. 2,000 sessions over all adapters and stores.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from functools import partial
from math import sqrt

from tests.attacks import defences
from tests.attacks.site import ANON, Defence, Site

SESSIONS = 500


def attack(site: Site) -> bool:
    """Go on with the steps that one's own tokens take, to the victim's."""
    first, second = (_parts(site.browser().log_in("mallory").token) for _ in range(2))
    site.browser().log_in("alice")
    guess = [
        (2 * after - before) % (1 << 8 * size)
        for before, after, size in zip(first, second, (16, 16, 32), strict=True)
    ]
    texts = [_text(part.to_bytes(size)) for part, size in zip(guess, (16, 16, 32), strict=True)]
    return site.browser(".".join(texts)).user == "alice"


def attack_by_numbers(site: Site, sessions: int) -> bool:
    """Look for a bit that is not as often one as it is zero, or a token that comes twice."""
    attacker, tokens = site.browser(), list[str]()
    for _ in range(sessions):
        (line,) = attacker.post("/write", ("Cookie", ""), cart="hat").all("set-cookie")
        tokens.append(line.partition(";")[0].removeprefix(f"{ANON}="))
    raw = [b"".join(map(_bytes, token.split("."))) for token in tokens]
    return len(set(raw)) < sessions or _is_biased(raw)


def test_the_next_token_does_not_follow(site: Site, defence: Defence) -> None:
    with defence.without(partial(defences.tokens_from_a_counter, site.sessions)):
        assert attack(site) is defence.is_off


def test_tokens_show_no_pattern(site: Site, defence: Defence) -> None:
    with defence.without(partial(defences.tokens_from_a_counter, site.sessions)):
        assert attack_by_numbers(site, 100 if defence.is_off else SESSIONS) is defence.is_off


def _is_biased(raw: list[bytes]) -> bool:
    """Tell whether any of the 512 bits is off by more than 7 standard deviations."""
    middle, most = len(raw) / 2, 7 * sqrt(len(raw)) / 2
    numbers = [int.from_bytes(each) for each in raw]
    ones = (sum(number >> bit & 1 for number in numbers) for bit in range(8 * len(raw[0])))
    return any(abs(count - middle) > most for count in ones)


def _parts(token: str) -> list[int]:
    return [int.from_bytes(_bytes(part)) for part in token.split(".")]


def _bytes(part: str) -> bytes:
    return urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()
