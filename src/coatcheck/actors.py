"""Whether who impersonates somebody still may: asked with each request, and in each look after."""

from coatcheck.parts import Parts


async def is_dismissed(parts: Parts, actor: str, since: int) -> bool:
    """Tell whether all sessions of who impersonates were ended since it began.

    It ends with them, though it is in the list of who is impersonated.

    Args:
        actor: a user id.
        since: milliseconds UTC.

    Raises:
        StoreUnavailable: nobody can tell.
    """
    return await parts.store.is_barred(actor, since - parts.clock.error)
