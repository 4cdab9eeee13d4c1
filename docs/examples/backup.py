"""Sessions that are copied into a file and back, by a program of one's own."""

import asyncio
from datetime import UTC, datetime

from coatcheck import Keyring, Store, store_from_url
from coatcheck.backup import export_sessions, import_sessions

keyring = Keyring.from_env("COATCHECK_BACKUP_KEYS")


# part: nightly
async def nightly(store: Store) -> str:
    path = f"sessions-{datetime.now(UTC):%Y-%m-%d}.backup"
    exported = await export_sessions(store, path, keyring, resume=True)
    if exported.unreadable:
        print("cannot be read:", exported.unreadable, *exported.unreadable_ids)
    return path


async def restore(path: str, store: Store) -> int:
    return (await import_sessions(store, path, keyring)).imported


# end part


def main() -> None:
    path = asyncio.run(nightly(store_from_url("sqlite:///sessions.db")))
    print(asyncio.run(restore(path, store_from_url("sqlite:///restored.db"))))


if __name__ == "__main__":
    main()
