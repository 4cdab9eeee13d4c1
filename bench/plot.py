"""The picture: processor time that sessions add to a request."""

from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from bench.rounds import Figures
from bench.subjects import COATCHECK, SIGNED, STARSESSIONS

PANELS = {
    "read": "read a value",
    "write": "change a value",
    "hot": "change a value,\nall in one session",
}
SUBJECTS = (*COATCHECK, SIGNED, STARSESSIONS)
# Text, bars of coatcheck, bars of others: for a light and for a dark page (GitHub's own colours).
THEMES = {"light": ("#1f2328", "#1a7f37", "#afb8c1"), "dark": ("#e6edf3", "#3fb950", "#6e7681")}


def draw(found: Mapping[tuple[str, str], Figures], folder: Path) -> None:
    """Write `bench-light.png` and `bench-dark.png`, with nothing behind the bars."""
    for theme, colours in THEMES.items():
        _draw(found, *colours).savefig(folder / f"bench-{theme}.png", dpi=160, transparent=True)


def _draw(found: Mapping[tuple[str, str], Figures], text: str, ours: str, others: str) -> Figure:
    colours = {f"{part}.color": text for part in ("text", "xtick", "ytick")}
    with mpl.rc_context({"font.size": 10, "font.family": "DejaVu Sans", **colours}):
        figure = Figure(figsize=(9.6, 2.9), layout=ConstrainedLayoutEngine(h_pad=0.09))
        axes = figure.subplots(1, len(PANELS), sharex=True, sharey=True)
        longest = max(found[subject.name, kind].added for subject in SUBJECTS for kind in PANELS)
        for axis, (kind, title) in zip(axes, PANELS.items(), strict=True):
            figures = [found[subject.name, kind] for subject in SUBJECTS]
            bars = axis.barh(
                [subject.title for subject in SUBJECTS],
                [each.added for each in figures],
                height=0.62,
                color=[ours if subject in COATCHECK else others for subject in SUBJECTS],
            )
            axis.bar_label(bars, [_label(each) for each in figures], padding=4, color=text)
            axis.set_title(title, fontsize=10.5, fontweight="bold", loc="left", color=text)
            axis.set_xlim(0, longest * 1.7)  # with room for the labels
            axis.set_xticks([])
            axis.tick_params(axis="y", length=0)
            axis.spines[:].set_visible(False)
        axes[0].invert_yaxis()
        figure.supxlabel(
            "microseconds of processor time added to a request; shorter is better",
            fontsize=9.5,
            color=text,
        )
        return figure


def _label(of: Figures) -> str:
    """Return what stands beside a bar: its length, and the share of requests that went wrong."""
    parts = [f"{of.added:.0f}"]
    for number, what in ((of.lost, "lost"), (of.refused, "refused")):
        if number:
            parts.append(f"{number / of.requests:.0%} {what}")
    return ", ".join(parts)
