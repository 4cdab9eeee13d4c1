"""Lay one request's steps over data that another request wrote meanwhile."""

from collections.abc import Mapping, Sequence

from coatcheck.core.codec import Codec
from coatcheck.core.intents import Difference, Step
from coatcheck.core.merge import Data, Merge, merge


def rebase(
    steps: Sequence[Step], theirs: Data, codec: Codec, rules: Mapping[str, Merge], lost: list[str]
) -> Data:
    """Return `theirs` with the steps done to it in their order: plain edits merged, edits re-run.

    Args:
        lost: receives the path of each leaf of `theirs` that was overwritten.

    Raises:
        MergeRefused: a key declared `REFUSE` was changed by both.
    """
    data = theirs
    for step in steps:
        if isinstance(step, Difference):
            before, after = codec.decode(step.before), codec.decode(step.after)
            data = merge(before, after, data, rules, lost)
        else:
            step(data)
    return data
