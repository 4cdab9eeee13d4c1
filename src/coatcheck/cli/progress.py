"""A bar on standard error that shows how far something is, where somebody looks at it."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn


class Bar:
    """Shows how much of a total is done; nothing where standard error is no terminal.

    Args:
        what: is going on.
        total: how much there is to do, if that is known.
    """

    def __init__(self, what: str, total: int | None = None) -> None:
        console = Console(stderr=True)
        self.is_shown = console.is_terminal
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(show_speed=True),
            TimeRemainingColumn(),
        )
        self._progress = Progress(
            *columns, console=console, transient=True, disable=not self.is_shown
        )
        self._task = self._progress.add_task(what, total=total)

    def expect(self, total: int) -> None:
        """Say how much there is to do."""
        self._progress.update(self._task, total=total)

    def __call__(self, done: int) -> None:
        """Show how much is done."""
        self._progress.update(self._task, completed=done)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._progress.stop()
