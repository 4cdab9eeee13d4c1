"""Enumeration and guessing: answers tell what a token was, and are given as often as one asks.

R-081.
"""

import os
from typing import Literal

from coatcheck import Happened, Policy, Rate, Token
from coatcheck.testing.drivers import Reply
from tests.attacks import defences
from tests.attacks.site import SID, Defence, Site


def attack(site: Site) -> bool:
    """Compare the answers to tokens that are wrong in different ways."""
    expired = site.browser().log_in().token
    site.clock.move(minutes=31)
    unknown = Token.mint(lambda size: bytes(range(size))).reveal()
    answers = {_answer(site, token, with_cookies=True) for token in (expired, unknown, "x")}
    return len(answers) > 1


def attack_the_ended(site: Site) -> bool:
    """The same with one that was logged out.

    Its cookie alone is left where it is, as a newer one may be on its way to the browser (C1); who
    sees that has the session's id already.
    """
    victim = site.browser().log_in()
    ended = victim.token
    victim.post("/logout")
    answers = {_answer(site, token, with_cookies=False) for token in (ended, "x")}
    return len(answers) > 1


def attack_by_guessing(site: Site) -> bool:
    """Go on and on."""
    attacker = site.browser()
    guesses = [Token.mint(os.urandom).reveal() for _ in range(20)]
    return all(attacker.get("/me", ("Cookie", f"{SID}={each}")).status == 401 for each in guesses)


def test_expired_unknown_and_malformed_are_alike(site: Site, defence: Defence) -> None:
    with defence.without(defences.answers_that_tell):
        assert attack(site) is defence.is_off


def test_ended_is_like_malformed(site: Site, defence: Defence) -> None:
    with defence.without(defences.answers_that_tell):
        assert attack_the_ended(site) is defence.is_off


def test_guessing(site: Site, defence: Defence) -> None:
    on_guessing: Literal["report", "refuse"] = "report" if defence.is_off else "refuse"
    site.deploy(policy=Policy(guess_rate=Rate(10), on_guessing=on_guessing))
    user = site.browser().log_in()
    assert attack_by_guessing(site) is defence.is_off
    assert user.user == "alice"
    assert site.happened(Happened.GUESSING) == 1


def _answer(site: Site, token: str, *, with_cookies: bool) -> tuple[object, ...]:
    reply: Reply = site.browser().get("/me", ("Cookie", f"{SID}={token}"))
    ignored = {"date"} if with_cookies else {"date", "set-cookie", "cache-control"}
    headers = [header for header in reply.headers if header[0].lower() not in ignored]
    return reply.status, tuple(sorted(headers)), reply.body
