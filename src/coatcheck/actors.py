"""Whether who impersonates somebody still may: asked with each request, and in each look after."""

from coatcheck.core.own import Actor
from coatcheck.parts import Parts


async def is_dismissed(parts: Parts, actor: Actor) -> bool:
    """Tell whether the actor's sessions were all ended since the impersonation began.

    It ends with them, though it is in the list of who is impersonated.

    Raises:
        StoreUnavailable: nobody can tell.
    """
    return await parts.store.is_barred(actor.subject, actor.begun_at - parts.clock.error)
