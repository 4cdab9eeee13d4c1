"""What the README and the page on measuring say of the benchmarks is what they found last."""

from statistics import median

from bench import results
from bench.report import survivors_table

ROOT = results.FILE.parents[1]
README, PAGE = ((ROOT / name).read_text() for name in ("README.md", "docs/how-to/measure.md"))


def test_the_page_has_the_table_of_what_survives() -> None:
    """Fails when the results are written anew and the page is not."""
    assert survivors_table(results.load(results.FILE)["survivors"]) in PAGE


def test_the_readme_sums_it_up() -> None:
    kept: dict[bool, list[int]] = {True: [], False: []}
    for each in results.load(results.FILE)["survivors"]:
        for what in ("cart", "count"):
            counts = [repetition["kept"] for repetition in each[what]]
            kept[each["title"].startswith("coatcheck")].append(int(median(counts)))
    assert set(kept[True]) == {200}
    words = " ".join(README.split())
    assert "of 200 changes to one session all are kept" in words
    assert f"[kept {min(kept[False])} to {max(kept[False])}]" in words


def test_the_readme_shows_the_pictures() -> None:
    for picture in ("docs/images/bench-light.png", "docs/images/bench-dark.png"):
        assert picture in README
        assert picture.removeprefix("docs/") in PAGE
        assert (ROOT / picture).is_file()
