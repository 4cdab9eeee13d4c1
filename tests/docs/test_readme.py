"""The README stays what a newcomer reads: short, the first things first, and leading everywhere."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
WHERE = "in the folder of the clone, until the first release"


def test_the_first_things_come_first() -> None:
    order = ["make demo", "make walk", "docs/examples/hello.py", "## Whatever your framework",
             "## Whatever your store", "## What it promises", "## Read on"]  # fmt: skip
    places = [README.index(words) for words in order]
    assert places == sorted(places)
    assert len(README.splitlines()) <= 180


def test_every_page_is_a_link_or_two_away() -> None:
    """Fails when a page is added that nobody finds."""
    known, queue = set[Path](), [ROOT / "README.md"]
    for _ in range(2):
        links = [
            (page, link)
            for page in queue
            for link in re.findall(r"\]\(([^)#\s:]+\.md)", page.read_text())
        ]
        queue = [(page.parent / link).resolve() for page, link in links]
        known |= set(queue)
    pages = {path for path in ROOT.glob("docs/**/*.md") if "decisions" not in path.parts}
    assert pages - known == set()
    how_to = set((ROOT / "docs" / "how-to").glob("*.md"))
    assert {path for path in how_to if f"docs/how-to/{path.name}" not in README} == set()


def test_every_page_says_where_it_can_be_installed_from() -> None:
    """Fails when a page has `pip install '.[...]'`, which works in one folder alone."""
    how_to = (ROOT / "docs" / "how-to").glob("*.md")
    texts = {path.name: " ".join(path.read_text().split()) for path in how_to}
    of_clone = {
        name
        for name, text in texts.items()
        if re.search(r"pip install ('?\.[\[ ]|coatcheck)", text)
    }
    assert len(of_clone) > 10
    said = {name for name, text in texts.items() if WHERE in text}
    assert of_clone - said == set()
    assert WHERE in README
