"""A subject that runs, and the load it is put under."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from bench import wrk
from bench.client import Client, header
from bench.processes import Process, granian, uvicorn
from bench.subjects import KINDS, Kind, Subject

SESSIONS = 256


class Serving:
    """A web process with sessions that were made through it: many, and one that all share.

    Attributes:
        hot, spread: cookies.
    """

    def __init__(self, subject: Subject, process: Process, folder: Path) -> None:
        self.subject, self.process = subject, process
        self._client = Client(process.port)
        answers = [self._client.get(f"/fill/{number}") for number in range(SESSIONS + 1)]
        if wrong := [answer for answer in answers if answer.status != 200]:
            raise RuntimeError(f"{subject.name}: {wrong[0]}")
        cookies = [header(answer.cookies) for answer in answers]
        read = self._client.text("/read", cookies[0])
        unknown = self._client.text("/anonymous")
        if (read, unknown) != ("EUR", subject.unknown):
            raise RuntimeError(f"{subject.name} answers {read!r} and {unknown!r}")
        self.hot, self.spread = cookies[:1], cookies[1:]
        self._files: dict[Kind, Path] = {}
        for kind in KINDS:
            if kind != "anonymous" and all(cookies):
                self._files[kind] = folder / f"{subject.name}-{kind}"
                self._files[kind].write_text("\n".join(self._cookies(kind)))

    def _cookies(self, kind: Kind) -> list[str]:
        return self.hot if kind == "hot" else self.spread

    def load(self, kind: Kind, seconds: int) -> wrk.Load:
        """Send requests of one kind by wrk, and wait until the last of them are done."""
        url = f"http://127.0.0.1:{self.process.port}/{kind}"
        load = wrk.run(url, seconds, self._files.get(kind))
        self.process.settle()
        return load

    def written(self, kind: Kind) -> int:
        """Return how many writes can be read back."""
        self._client.close()  # the server has closed a connection that was idle for so long
        return sum(int(self._client.text("/counter", cookie)) for cookie in self._cookies(kind))


@contextmanager
def serving(subject: Subject, redis: str, folder: Path) -> Generator[Serving]:
    """Run a subject, with sessions, until the block is left."""
    serve = granian if subject.is_wsgi else uvicorn
    with serve(subject.app, subject.url(redis, folder), first=True) as process:
        yield Serving(subject, process, folder)
