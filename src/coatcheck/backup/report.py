"""What became of the sessions that were exported or imported."""

from typing import NamedTuple

from coatcheck.stores.protocol import Page

NAMED = 100


class Exported(NamedTuple):
    """What an export wrote, and what it left out.

    Attributes:
        sessions: how many are in the file.
        expired: how many were over already, since this run of the export began.
        unreadable: how many cannot be read by this version, or by anybody; they stay in the store.
        unreadable_ids: of the first hundred of these.
    """

    sessions: int = 0
    expired: int = 0
    unreadable: int = 0
    unreadable_ids: tuple[str, ...] = ()

    def plus(self, page: Page, expired: int = 0) -> "Exported":
        """Return this and one page more."""
        return Exported(
            self.sessions + len(page.records),
            self.expired + expired,
            self.unreadable + len(page.unreadable),
            (*self.unreadable_ids, *page.unreadable)[:NAMED],
        )


class Imported(NamedTuple):
    """What an import did with each session of the file.

    Attributes:
        imported: how many are in the store now and were not.
        there: how many were there already, and stay as they are.
        ended: how many ended after they were exported, as far as the store knows, and stay so.
        expired: how many are over.
    """

    imported: int = 0
    there: int = 0
    ended: int = 0
    expired: int = 0
