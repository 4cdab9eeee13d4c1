"""What the README says of the benchmarks is what they found last."""

from bench import results
from bench.report import survivors_table

README = (results.FILE.parents[1] / "README.md").read_text()


def test_the_readme_has_the_table_of_what_survives() -> None:
    """Fails when the results are written anew and the README is not."""
    assert survivors_table(results.load(results.FILE)["survivors"]) in README


def test_the_readme_shows_the_pictures() -> None:
    for picture in ("docs/images/bench-light.png", "docs/images/bench-dark.png"):
        assert picture in README
        assert (results.FILE.parents[1] / picture).is_file()
