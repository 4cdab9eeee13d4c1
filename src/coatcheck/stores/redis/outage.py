"""How errors of Redis's driver are put, and which of them say that nothing was done."""

from redis.exceptions import (
    AskError,
    ClusterDownError,
    MovedError,
    ReadOnlyError,
    ResponseError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as Disconnected

from coatcheck.core.hide import hide
from coatcheck.errors import StoreUnavailable

Command = tuple[bytes | str | int, ...]
READS = ("GET", "TIME", "SCAN", "ZRANGE", "CLUSTER")
"""Commands that change nothing, so that asking again is safe whatever became of the first time."""


class Unreached(StoreUnavailable):
    """There was no connection to send anything on."""


def unavailable(
    error: Exception, kind: type[StoreUnavailable] = StoreUnavailable
) -> StoreUnavailable:
    """Return how the store puts an error of the driver, which is its cause."""
    if type(error).__name__ == "MasterNotFoundError":
        error.args = ("no sentinel names a master",)  # it shows the sentinels' settings
    hint = ""
    if isinstance(error, MovedError):
        hint = " (a cluster's node: use redis+cluster://)"
    outage = kind(f"Redis: {type(error).__name__}: {error}{hint}")
    outage.__cause__ = error
    hide(error)  # the driver's frames hold the password, and what was to be written
    return outage


def refusal(error: BaseException) -> ResponseError | None:
    """Return the reply of a replica that was asked to write.

    Behind Sentinel the driver puts it as a connection that broke.
    """
    for each in (error, error.__context__):
        if isinstance(each, ReadOnlyError):
            return each
    return None


def is_elsewhere(reply: object) -> bool:
    """Tell whether a node said that another is to be asked, or itself later."""
    told = AskError | TryAgainError | ClusterDownError  # MOVED is a kind of ASK
    return isinstance(reply, StoreUnavailable) and isinstance(reply.__cause__, told)


def is_harmless(error: StoreUnavailable, command: Command) -> bool:
    """Tell whether a command that was left without a connection may be sent once more.

    Not one that waited in vain: who asks has waited long enough.
    """
    is_read = command[0] in READS
    return isinstance(error.__cause__, Disconnected) and (is_read or isinstance(error, Unreached))
