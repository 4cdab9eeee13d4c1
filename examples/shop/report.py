"""Prints the walk-through, one aligned line a step, and keeps what did not hold."""

import os
import sys
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from examples.shop.browser import Answer

_COLOURS: Final = {
    "A": "36",
    "B": "33",
    "C": "35",
    "p": "34",
    "ok": "32",
    "failed": "31;1",
    "quiet": "2",
    "bold": "1",
}
_HEAD: Final = (
    "step  request                   server     status  shop clock     time  what came back"
)


class Report:
    """The lines of a walk; `failures` is empty when every expectation held."""

    def __init__(self) -> None:
        self.failures: list[str] = []
        self._steps = 0
        self._clock = timedelta()
        self._in_colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        print(self._paint("quiet", _HEAD))

    def chapter(self, title: str) -> None:
        """Print a heading."""
        print(self._paint("bold", f"\n      {title}"), flush=True)

    def note(self, text: str) -> None:
        """Print something that happens between two requests."""
        print(self._paint("quiet", f"      {text}"), flush=True)

    def passed(self, time: timedelta) -> None:
        """Note that the shop's clock went on by `time`."""
        self._clock += time
        self.note(f"{time // timedelta(minutes=1)} minutes pass")

    def step(self, answer: Answer, expected: Mapping[str, bool]) -> None:
        """Print one request and its answer; `expected` maps a sentence to whether it holds."""
        self._steps += 1
        broken = [sentence for sentence, holds in expected.items() if not holds]
        status = self._paint("failed" if broken else "ok", f"{answer.status:<6}")
        server = self._paint(answer.server[:1], f"{answer.server:<9}")
        clock = f"+{self._clock // timedelta(minutes=1)} min"
        print(
            f"{self._steps:>4}  {answer.request:<24}  {server}  {status}  {clock:<10}"
            f"  {answer.milliseconds:>5.0f} ms  {outcome(answer)}",
            flush=True,
        )
        for sentence in broken:
            self.failures.append(f"step {self._steps}, {answer.request}: {sentence}")
            print(self._paint("failed", f"      expected: {sentence}"), flush=True)

    def close(self, *, nothing_left: bool) -> bool:
        """Print the verdict; returns whether everything held, with no session left behind."""
        if not nothing_left:
            self.failures.append("at the end: the walk logged out of every session it made")
        if self.failures:
            print(self._paint("failed", f"\n{len(self.failures)} expectations did not hold:"))
            print("\n".join(f"  {failure}" for failure in self.failures))
        else:
            print(self._paint("ok", f"\nAll {self._steps} steps went as they should."))
        return not self.failures

    def _paint(self, colour: str, text: str) -> str:
        code = _COLOURS.get(colour)
        return f"\x1b[{code}m{text}\x1b[0m" if self._in_colour and code else text


def outcome(answer: Answer) -> str:
    """Say in a few words what came back, and what it did to the browser's cookies."""
    parts = [_content(answer)]
    if answer.deletes_cookie:
        parts.append("cookie deleted")
    elif answer.set_cookies:
        parts.append("cookie set")
    return ", ".join(part for part in parts if part)


def _content(answer: Answer) -> str:
    fields = answer.fields
    if answer.items:
        agents = ", ".join(str(device["agent"]) for device in answer.items)
        return f"{len(answer.items)} devices: {agents}"
    if "items" in fields:
        things = [f"{line['quantity']} x {line['name']}" for line in fields["items"]]
        return f"cart: {', '.join(things) or 'empty'}"
    if "ended" in fields:
        return f"{fields['ended']} ended"
    if "access_token" in fields:
        return f"a token for {fields['expires_in']} seconds"
    if "email" in fields:
        return f"e-mail: {fields['email']}"
    return str(fields.get("error") or fields.get("message") or fields.get("status") or "")
