"""The Redis of deploy/compose.yaml, run by the local redis-server with the file's own options."""

import os
import re
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.deploy.shipped import DEPLOY
from tests.deploy.until import until
from tests.servers import Server, free_port, program

FILE = DEPLOY / "compose.yaml"
PASSWORD = "walnut-hanger"

_VARIABLE = re.compile(r"\$\{(\w+):\?[^}]*\}")


def service(environment: dict[str, str]) -> dict[str, Any]:
    """Return the service `redis`, with `${NAME:?…}` filled in as Compose does it.

    Raises KeyError where Compose refuses to start.
    """

    def fetch(match: re.Match[str]) -> str:
        if not environment.get(match[1]):
            raise KeyError(match[1])
        return environment[match[1]]

    yaml: Any = YAML(typ="safe")
    service: dict[str, Any] = yaml.load(_VARIABLE.sub(fetch, FILE.read_text()))["services"]["redis"]
    return service


class Redis(Server):
    """That server: started, killed and started again in one folder."""

    def __init__(self, folder: Path) -> None:
        self._service = service({"REDIS_PASSWORD": PASSWORD})
        name, *options = self._service["command"]
        port = free_port()
        here = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)]
        super().__init__([program(name), *options, *here, "--loglevel", "warning"], port, folder)

    def url(self, credentials: str = f":{PASSWORD}@") -> str:
        return f"redis://{credentials}127.0.0.1:{self.port}/0"

    def start(self) -> None:
        super().start()
        until(self.is_healthy)

    def is_healthy(self) -> bool:
        """Run the file's health check."""
        kind, check = self._service["healthcheck"]["test"]
        assert (kind, check.count("redis-cli")) == ("CMD-SHELL", 1)
        check = check.replace("redis-cli", f"{program('redis-cli')} -p {self.port}")
        environment = {**os.environ, **self._service["environment"]}
        done = subprocess.run(
            ["sh", "-c", check], env=environment, stderr=subprocess.DEVNULL, check=False
        )
        return done.returncode == 0


@contextmanager
def redis_as_composed(folder: Path) -> Generator[Redis]:
    redis = Redis(folder)
    try:
        redis.start()
        yield redis
    finally:
        redis.stop()
