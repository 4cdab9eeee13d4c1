"""Check the documentation: its Python blocks are files that the tests run, and its links lead on.

A Python block names the file that it shows, or the part of it between `# part: NAME` and
`# end part`, in the line above:

    <!-- file: docs/examples/login.py part: routes -->

`--fix` rewrites the blocks from the files.
"""

import re
import sys
from pathlib import Path
from textwrap import dedent, indent

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "docs" / "examples"
GENERATED = ROOT / "docs" / "reference" / "api"  # tools/api.py checks it

BLOCK = re.compile(
    r"(?:^ *<!-- file: (?P<file>\S+)(?: part: (?P<part>\S+))? -->\n)?"
    r"^(?P<open>(?P<indent> *)(?P<fence>`{3,})(?P<language>\w*).*\n)"
    r"(?P<code>(?:.*\n)*?)"
    r"(?P<close>(?P=indent)(?P=fence) *$)",
    re.MULTILINE,
)
INLINE_CODE = re.compile(r"(`+).+?\1", re.DOTALL)
LINK = re.compile(r"\]\(<?([^)>\s]+)|^\[[^\]]+\]: *<?([^>\s]+)", re.MULTILINE)
ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:|#")
MARKER = re.compile(r" *# (?:part: \S+|end part)\n")


def pages() -> list[Path]:
    """Every page that a reader may open."""
    found = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")]
    return sorted(found)


def shown(source: str, part: str | None) -> str | None:
    """The text of a file, or of a part of it, as a block shows it; None if it has no such part."""
    if part is not None:
        lines = rf"^ *# part: {re.escape(part)}\n(.*?)^ *# end part$"
        found = re.search(lines, source, re.MULTILINE | re.DOTALL)
        if found is None:
            return None
        source = found[1]
    return dedent(MARKER.sub("", source)).strip("\n") + "\n"


def check(page: Path, used: set[Path], *, fix: bool) -> list[str]:
    """What is wrong with a page, after its blocks are rewritten if `fix`; adds to `used`."""
    text = page.read_text()
    wrong: list[str] = []

    def complain(position: int, message: str) -> None:
        line = text.count("\n", 0, position) + 1
        wrong.append(f"{page.relative_to(ROOT)}:{line}: {message}")

    def block(match: re.Match[str]) -> str:
        if match["language"] not in {"python", "py"} or GENERATED in page.parents:
            return match[0]
        if match["file"] is None:
            complain(match.start(), "a Python block without <!-- file: ... --> above it")
            return match[0]
        file = (ROOT / match["file"]).resolve()
        used.add(file)
        code = shown(file.read_text(), match["part"]) if file.is_file() else None
        if code is None:
            name = " ".join(filter(None, (match["file"], match["part"])))
            complain(match.start(), f"a Python block of {name}, which does not exist")
            return match[0]
        code = indent(code, match["indent"])
        if code == match["code"]:
            return match[0]
        if not fix:
            complain(match.start("code"), f"differs from {match['file']} (--fix rewrites it)")
        head = match[0][: match.start("code") - match.start()]
        return head + code + match["close"]

    fixed = BLOCK.sub(block, text)
    if fix and fixed != text:
        page.write_text(fixed)

    # Code has no links; blanks in its place keep the line numbers right.
    prose = text
    for code in (BLOCK, INLINE_CODE):
        prose = code.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), prose)
    for link in LINK.finditer(prose):
        target = link[1] or link[2]
        if not ELSEWHERE.match(target) and not (page.parent / target.split("#")[0]).exists():
            complain(link.start(), f"a link to {target}, which does not exist")
    return wrong


def main() -> int:
    """Check every page; tell what is wrong."""
    used: set[Path] = set()
    wrong = [line for page in pages() for line in check(page, used, fix="--fix" in sys.argv[1:])]
    wrong += [
        f"{file.relative_to(ROOT)}: no page shows it"
        for file in sorted(EXAMPLES.glob("**/*.py"))
        if file not in used
    ]
    print("\n".join(wrong) or f"{len(pages())} pages agree with {len(used)} example files.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
