"""One cookie is set once in a response."""

from collections import Counter
from collections.abc import Iterator

from coatcheck.doctor.answer import Answer
from coatcheck.doctor.finding import Finding, Severity

NAME = "cookie-repetition"


def check(answer: Answer) -> Iterator[Finding]:
    """Find names that are set more than once."""
    for name, times in Counter(cookie.name for cookie in answer.cookies).items():
        if times > 1:
            yield Finding(
                Severity.WARNING,
                NAME,
                f"sets it {times} times, and browsers may differ in which counts",
                f"cookie {name}, {answer.request}",
                "send one Set-Cookie for a name",
                "RFC 6265bis 4.1.1",
            )
