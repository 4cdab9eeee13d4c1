"""A hunt for secrets in whatever a test says."""

import logging
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.observe.hunt import DATA, Hunt


@pytest.fixture
def ears(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> "Ears":
    return Ears(caplog, capfd, tmp_path)


class Ears:
    """Hear all that is logged, printed, warned of, or written to an audit trail."""

    def __init__(
        self, log: pytest.LogCaptureFixture, output: pytest.CaptureFixture[str], folder: Path
    ) -> None:
        self.log, self._output, self._folder = log, output, folder

    @contextmanager
    def listen(self, hunt: Hunt) -> Generator[None]:
        self.log.set_level(logging.DEBUG)
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            yield
        hunt.hear("the log", self.log.text)
        hunt.hear("the log's records", "\n".join(str(vars(each)) for each in self.log.records))
        out, err = self._output.readouterr()
        hunt.hear("stdout", out)
        hunt.hear("stderr", err)
        hunt.hear("the warnings", "\n".join(map(str, warned)))
        for file in self._folder.glob("*.audit"):
            hunt.hear("the audit", file.read_text())


@pytest.fixture
def hunt(ears: Ears) -> Generator[Hunt]:
    """Whatever is said during the test is searched at its end."""
    hunt = Hunt()
    hunt.secret("the data", DATA)
    with ears.listen(hunt):
        yield hunt
    assert hunt.hits == []
