"""Take each rule out of the library in turn, and see its test fail: `python -m tools.rules`.

Names of rules as arguments take out only those. The rules are in docs/explanation/semantics.md,
their tests in docs/reference/rules.md, what is taken out in `tools.removals`.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from tools.removals import REMOVALS, Removal

ROOT = Path(__file__).resolve().parent.parent
AT_ONCE = 2
PATIENCE = 120
FAILED = re.compile(r"^FAILED (?P<test>\S+.*?) - (?P<error>.*)$", re.MULTILINE)
BY_ASSERTION = re.compile(r"assert |AssertionError|Failed: DID NOT RAISE")


class Survived(Exception):
    """The test did not fail, or not as it should."""


def without(removal: Removal, folder: Path) -> None:
    """Make a copy of the library without one defence.

    Raises:
        Survived: what is to be taken out is not there exactly once.
    """
    shutil.copytree(ROOT / "src", folder, dirs_exist_ok=True)
    file = folder / "coatcheck" / removal.file
    source = file.read_text()
    if (found := source.count(removal.old)) != 1:
        raise Survived(f"{removal.file} has the text to take out {found} times")
    file.write_text(source.replace(removal.old, removal.new))


def run(tests: Iterable[str], library: Path) -> tuple[int, str]:
    """Run tests with the library in a folder; return pytest's exit code and output."""
    path = f"{library}{os.pathsep}{ROOT}"
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    which = [sys.executable, "-c", "import coatcheck; print(coatcheck.__file__)"]
    imported = subprocess.run(
        which, env=environment, cwd=ROOT, capture_output=True, text=True, check=False
    )
    if not imported.stdout.startswith(f"{library}{os.sep}"):
        raise Survived(f"not the copy is imported: {imported.stdout}{imported.stderr}")
    command = [sys.executable, "-m", "pytest", "-q", "-rfE", "--tb=line", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, *tests],
        env={**environment, "COLUMNS": "500"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def take_out(removal: Removal) -> str:
    """Run the test without the defence; return how it failed.

    Raises:
        Survived: it did not, or by something else than an assertion.
    """
    with TemporaryDirectory() as folder:
        library = Path(folder).resolve()
        without(removal, library)
        code, output = run([removal.test], library)
    failures = [match["error"] for match in FAILED.finditer(output)]
    if code != 1 or not failures or "\nERROR " in output:
        raise Survived(f"pytest ended with {code}:\n{output[-2000:]}")
    others = [error for error in failures if not BY_ASSERTION.search(error)]
    if others:
        raise Survived(f"failed by something else: {others[0]}")
    return failures[0]


def attempt(removal: Removal) -> tuple[Removal, str | None, str]:
    """Return the removal, how its test failed or `None`, and what else there is to say."""
    try:
        return removal, take_out(removal), ""
    except Survived as survived:
        return removal, None, str(survived)
    except subprocess.TimeoutExpired:
        return removal, None, f"the test hangs: no end after {PATIENCE} s"


def main(wanted: list[str]) -> int:
    """Take out what is wanted, print a table, and return how much survived."""
    removals = [removal for removal in REMOVALS if not wanted or removal.rule in wanted]
    started = time.monotonic()
    code, output = run(sorted({removal.test for removal in removals}), ROOT / "src")
    if code != 0:
        print(output)
        print("The tests fail with all rules in place.")
        return 1
    survived = 0
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for removal, failure, trouble in pool.map(attempt, removals):
            survived += failure is None
            verdict = "survived" if failure is None else "fails"
            print(f"{removal.rule:6}{verdict:10}{removal.what}\n{'':16}{removal.test}", flush=True)
            print(f"{'':16}{failure or trouble}", flush=True)
    print(f"{len(removals)} taken out, {survived} survived, {time.monotonic() - started:.0f} s")
    return int(survived > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
