"""Where there is nothing of POSIX's own, as on Windows: a Python that has lost it stands in."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import coatcheck
from coatcheck import BlockingSessions, Keyring, store_from_url
from tests.docs.test_examples import EXAMPLES

WITHOUT = """
import asyncio, os, random, socket, sqlite3, subprocess, sys, tempfile
sys.modules["fcntl"] = None
for name in ("register_at_fork", "fork", "geteuid", "fchmod", "O_NOFOLLOW", "O_CLOEXEC"):
    delattr(os, name)
"""
BROWSER = """
from starlette.testclient import TestClient
import hello
with TestClient(hello.app, "http://127.0.0.1", client=("127.0.0.1", 1)) as client:
    client.post("/login")
    print([client.get("/").json()["visits"] for _ in range(2)])
"""
THREADS = """
from coatcheck import BlockingSessions, store_from_url
from coatcheck.observe import Audit, JSONFile
audit = Audit(JSONFile("audit"))
sessions = BlockingSessions(store_from_url("sqlite:///a.db", blocking=True), on_event=audit)
session = sessions.open(None)
session.sign_in("alice")
token = sessions.commit(session).token
print(sessions.open(token).subject, sessions.end_all("alice"), sessions.open(token).subject)
sessions.close()
"""


@pytest.fixture(autouse=True)
def without(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(WITHOUT)


def run(folder: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[bytes]:
    path = os.pathsep.join(map(str, [folder, EXAMPLES, Path(coatcheck.__file__).parents[1]]))
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path, **environ},
        capture_output=True,
        check=False,
    )


def test_sessions_of_an_asgi_application(tmp_path: Path) -> None:
    """Fails when a store cannot do without being told of forks."""
    done = run(tmp_path, "-c", BROWSER)
    assert (done.stdout, done.returncode) == (b"[1, 2]\n", 0), done.stderr


def test_sessions_and_an_audit_in_threads(tmp_path: Path) -> None:
    done = run(tmp_path, "-c", THREADS)
    assert (done.stdout, done.returncode) == (b"alice 1 None\n", 0), done.stderr
    audit = (tmp_path / "audit").read_text().splitlines()
    events = [json.loads(line)["event"] for line in audit]
    assert events == ["session_created", "session_ended", "sessions_ended", "token_refused"]


def test_commands(tmp_path: Path) -> None:
    """All but an export into a file, which says so."""
    url = f"sqlite:///{tmp_path / 'sessions.db'}"
    sessions = BlockingSessions(store_from_url(url, blocking=True))
    session = sessions.open(None)
    session.sign_in("alice")
    sessions.commit(session)
    sessions.close()
    command, keys = ["-m", "coatcheck.cli"], {"COATCHECK_BACKUP_KEYS": Keyring.new_key()}
    doctor = run(tmp_path, *command, "doctor", "--store", url)
    assert doctor.returncode == 0, doctor.stderr
    refused = run(tmp_path, *command, "export", "here", "--store", url, **keys)
    assert refused.returncode == 2
    assert b"standard output (-) does not" in b" ".join(refused.stderr.split())
    assert not (tmp_path / "here.part").exists()
    backup = tmp_path / "there"
    backup.write_bytes(run(tmp_path, *command, "export", "-", "--store", url, **keys).stdout)
    new = f"sqlite:///{tmp_path / 'new.db'}"
    imported = run(tmp_path, *command, "import", "there", "--store", new, **keys)
    assert imported.stderr.startswith(b"1 sessions imported")
