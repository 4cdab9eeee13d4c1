"""The command line: exit codes, output for people and programs, and nothing secret in either."""

import json
import sys
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from coatcheck import Keyring
from coatcheck.cli import table
from coatcheck.doctor.finding import Finding, Severity
from coatcheck.doctor.report import Report
from tests.doctor.careless import FIELDS, PASSWORD, Careless
from tests.doctor.conftest import coatcheck, served
from tests.doctor.test_applications import starlette
from tests.servers import redis_server

Module = Callable[[str], str]
SIGN = ("--login-url", "/login", "--logout-url", "/logout", "--page", "/me")


@pytest.fixture
def login(tmp_path: Path) -> str:
    (tmp_path / "login.json").write_text(json.dumps(FIELDS))
    return "@login.json"


def test_all_is_well(module: Module, tmp_path: Path) -> None:
    given = json.dumps({"user": "alice", "password": "wonderland"})
    command = ("doctor", f"{module(starlette())}:app", *SIGN, "--login-data", "-")
    done = coatcheck(*command, cwd=tmp_path, given=given)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 error, 0 warning" in done.stdout
    assert "\x1b" not in done.stdout
    assert "wonderland" not in done.stdout + done.stderr
    assert coatcheck(*command, "--fail-on", "info", cwd=tmp_path, given=given).returncode == 1


def test_findings_as_json(tmp_path: Path, login: str) -> None:
    with served(Careless("sid", rotates=False)) as url:
        done = coatcheck("doctor", url, *SIGN, "--login-data", login, "--json", cwd=tmp_path)
        again = coatcheck("doctor", url, "--fail-on", "error", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (1, "")
    assert again.returncode == 0
    report = json.loads(done.stdout)
    assert set(report) == {"schema", "target", "summary", "findings", "checked", "skipped"}
    assert (report["schema"], report["target"]) == (1, url)
    assert report["summary"]["error"] >= 1
    first = report["findings"][0]
    assert set(first) == {"severity", "check", "what", "where", "do", "clause"}
    assert first["severity"] == "error"
    assert {"check": "store", "why": "no store was found: name it by --store URL"} in report[
        "skipped"
    ]


def test_what_an_application_prints_is_not_in_the_json(module: Module, tmp_path: Path) -> None:
    name = module(starlette(more='print("starting")'))
    done = coatcheck("doctor", f"{name}:app", "--json", cwd=tmp_path)
    assert json.loads(done.stdout)["target"] == f"{name}:app"
    assert "starting" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "names nothing to look at"),
        (("http://127.0.0.1:1/",), "does not answer"),
        (("--store", "redis://:hunter2@127.0.0.1:1/0"), "nothing listens on 127.0.0.1:1"),
        (("--store", "oracle://root:hunter2@db/x"), "names no known store"),
        (("--store", "hunter2"), "names no known store"),
        (("https://alice:hunter2@127.0.0.1:1/?token=hunter2",), "does not answer"),
        (("json:loads", "--profile", "hunter"), "is no profile"),
        (("http://127.0.0.1:1/", "--login-data", '{"password": "hunter2"}'), "--login-url"),
        (
            ("http://127.0.0.1:1/", "--login-url", "/login", "--login-data", '{"hunter2'),
            "is no JSON object",
        ),
        (
            ("http://127.0.0.1:1/", "--login-url", "https://evil.test/", "--login-data", "{}"),
            "is no path of the application",
        ),
    ],
)
def test_what_could_not_be_done_is_said_without_secrets(
    arguments: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    done = coatcheck("doctor", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr
    assert "hunter2" not in done.stdout + done.stderr
    assert done.stdout == ""


def test_a_long_url_is_broken_between_its_parts() -> None:
    """Fails when a line of the table ends in the middle of a host."""
    hosts = [f"10.0.0.{number}:26379" for number in (1, 2, 3)]
    url = f"redis+sentinel://{','.join(hosts)}/mymaster"
    report = Report(url)
    report.add("c", [Finding(Severity.ERROR, "c", "what is wrong", f"store {url}", "mend it")])
    for width in (60, 80):
        out = StringIO()
        table.show(report, Console(file=out, width=width))
        said = out.getvalue()
        assert all(said.count(host) == 2 for host in [*hosts, "mymaster"])


def test_no_secret_is_in_any_output(tmp_path: Path, login: str) -> None:
    """Every identifier that the application issues is searched for, and what was given."""
    issued: list[str] = []

    def new() -> str:
        issued.append(f"{len(issued):08d}-guessable")
        return issued[-1]

    careless = Careless(
        "sid", "Path=/", "public", new=new, rotates=False, is_strict=False, ends=False
    )
    with redis_server("--requirepass", "hunter2", "--maxmemory-policy", "allkeys-lru") as redis:
        store = f"redis://:hunter2@127.0.0.1:{redis.port}/0"
        with served(careless) as url:
            for more in ((), ("--json",)):
                command = ("doctor", url, *SIGN, "--login-data", login, "--store", store, *more)
                done = coatcheck(*command, cwd=tmp_path, COLUMNS="200")
                assert done.returncode == 1
                shown = done.stdout + done.stderr
                assert "eviction" in shown
                assert len(issued) > 10
                for secret in (*issued, PASSWORD, "hunter2"):
                    assert secret not in shown


def test_what_doctor_did_not_expect_is_no_finding(module: Module, tmp_path: Path) -> None:
    name = module("class Broken:\n    def __call__(self, a, b): return [1]\napp = Broken()")
    done = coatcheck("doctor", f"{name}:app", cwd=tmp_path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_color_is_for_terminals(tmp_path: Path) -> None:
    plain = coatcheck("doctor", "--store", "memory:", cwd=tmp_path)
    assert "\x1b" not in plain.stdout
    forced = {"FORCE_COLOR": "1", "TERM": "xterm"}
    assert "\x1b[" in coatcheck("doctor", "--store", "memory:", cwd=tmp_path, **forced).stdout
    none = coatcheck("doctor", "--store", "memory:", cwd=tmp_path, NO_COLOR="1", **forced)
    assert "\x1b[3" not in none.stdout


def test_a_key_is_one_for_a_keyring(tmp_path: Path) -> None:
    keys = [coatcheck("key", cwd=tmp_path).stdout.strip() for _ in range(2)]
    assert len(Keyring(*keys, setting="printed").ids) == 2


@pytest.mark.parametrize("missing", ["typer", "rich"])
def test_what_to_install_is_said(missing: str, tmp_path: Path) -> None:
    """The package is hidden from a process of its own."""
    (tmp_path / "sitecustomize.py").write_text(
        f"import sys\nclass Hidden:\n    def find_spec(self, name, *_):\n"
        f"        if name.partition('.')[0] == {missing!r}:\n"
        f"            raise ModuleNotFoundError('hidden', name={missing!r})\n"
        f"sys.meta_path.insert(0, Hidden())\n"
    )
    source = next(path for path in sys.path if (Path(path) / "coatcheck" / "cli").is_dir())
    done = coatcheck("key", cwd=tmp_path, PYTHONPATH=f"{source}:{tmp_path}")
    assert done.returncode == 2
    assert f"{missing} is not installed: pip install 'coatcheck[cli]'" in done.stderr
    assert "Traceback" not in done.stderr


LOGIN = """
from fastapi import FastAPI, Request
from pydantic import BaseModel
from coatcheck import Sessions, store_from_url
from coatcheck.web.asgi import SessionMiddleware, session_of
app = FastAPI()
app.add_middleware(SessionMiddleware, sessions=Sessions(store_from_url("sqlite:///shop.db")))

class Login(BaseModel):
    user: str
    password: str

@app.post("/login")
async def login(login: Login, request: Request):
    session_of(request).sign_in(login.user)

@app.get("/me")
async def me(request: Request):
    return session_of(request).require_subject()

@app.post("/logout")
async def logout(request: Request):
    session_of(request).end()
"""


def test_a_login_that_takes_json_is_told_how(module: Module, tmp_path: Path, login: str) -> None:
    command = ("doctor", f"{module(LOGIN)}:app", *SIGN, "--login-data", login, "--json")

    def found(*more: str) -> list[dict[str, str]]:
        findings = json.loads(coatcheck(*command, *more, cwd=tmp_path).stdout)["findings"]
        return [one for one in findings if one["check"] == "rotation"]

    (failed,) = found()
    assert "by a form failed, and nothing else was tried: it answered 422" in failed["what"]
    assert failed["do"].startswith("add --login-json to --login-data @login.json if it")
    assert found("--login-json") == []


def test_a_login_that_takes_a_form_is_told_how(tmp_path: Path, login: str) -> None:
    with served(Careless()) as url:
        done = coatcheck(
            "doctor", url, *SIGN, "--login-data", login, "--login-json", "--json", cwd=tmp_path
        )
    told = [one["do"] for one in json.loads(done.stdout)["findings"] if one["check"] == "rotation"]
    assert [do.partition(";")[0] for do in told] == ["leave --login-json out if it takes a form"]


def test_what_was_given_already_is_not_asked_for(module: Module, tmp_path: Path) -> None:
    """Fails when checks that had nothing to look at ask for a login that failed."""
    name = module(starlette())
    for login, do in (("/login", "add --login-json to"), ("/signin", "there is no such page: ")):
        command = ("doctor", f"{name}:app", "--login-url", login, *SIGN[2:], "--login-data", "-")
        done = coatcheck(*command, "--json", cwd=tmp_path, given='{"user": "alice"}')
        report = json.loads(done.stdout)
        why = {each["why"] for each in report["skipped"]}
        assert why == {"signing in failed: see rotation"}
        assert "logout" in {each["check"] for each in report["skipped"]}
        assert "logout" not in report["checked"]
        (found,) = (each for each in report["findings"] if each["check"] == "rotation")
        assert found["do"].startswith(do)
