"""A user who is disabled, deleted, gets another password, or loses it, is logged out everywhere.

In the views, the admin and commands alike, and in every framework on the same store (ASVS 5.0
V7.4.2, V7.4.3). It happens once the database has it for good: whoever proved the old password by
then began before, and is refused.
"""

from collections.abc import Collection
from functools import partial
from typing import Any, cast

from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import is_password_usable
from django.db import transaction
from django.db.models.signals import post_delete, post_save, pre_save

from coatcheck.web.django.access import served
from coatcheck.web.django.site import current

_TAKEN = "_coatcheck_password_taken"


def follow() -> None:
    """Begin to listen to what happens to users, by whichever of their models.

    Not to all models: Django would load each row of any before it deletes it, and some applications
    send these signals about theirs with other arguments.
    """
    for model in apps.get_models():
        if issubclass(model, get_user_model()):
            pre_save.connect(_saving, model, dispatch_uid="coatcheck.saving")
            post_save.connect(_saved, model, dispatch_uid="coatcheck.saved")
            post_delete.connect(_deleted, model, dispatch_uid="coatcheck.deleted")


def _saving(instance: Any, using: str, update_fields: Collection[str] | None, **_: object) -> None:
    """Note whether the password is taken away, as the admin does: that is no `set_password`.

    The database is asked only about users who have none.
    """
    if not hasattr(instance, "has_usable_password"):
        return  # a model of users may have no passwords
    user: Any = instance
    is_saved = update_fields is None or "password" in update_fields
    if user.pk is None or not is_saved or user.has_usable_password():
        return
    stored = get_user_model()._base_manager.using(using).filter(pk=user.pk)
    was = stored.values_list("password", flat=True).first()
    setattr(user, _TAKEN, was is not None and is_password_usable(was))


def _saved(instance: Any, created: bool, using: str, **_: object) -> None:
    if created:
        return
    is_taken: bool = instance.__dict__.pop(_TAKEN, False)
    is_set = getattr(instance, "_password", None) is not None  # by `set_password`, until saved
    if not getattr(instance, "is_active", True):
        _end_all(instance, using, "disabled", keeps_own=False)
    elif is_set or is_taken:
        _end_all(instance, using, "password changed", keeps_own=True)


def _deleted(instance: Any, using: str, **_: object) -> None:
    _end_all(instance, using, "deleted", keeps_own=False)


def _end_all(user: Any, using: str, reason: str, *, keeps_own: bool) -> None:
    subject = cast("str", user._meta.pk.value_to_string(user))  # as Django's login has it
    end = partial(_end_now, subject, reason, keeps_own=keeps_own)
    transaction.on_commit(end, using=using)


def _end_now(subject: str, reason: str, *, keeps_own: bool) -> None:
    """End all sessions, but for that of the request in which users change their own password.

    Django's `update_session_auth_hash` gives that a new token; without, it ends by itself. Who
    forgot the password may sign in by the very request that sets it.
    """
    serving = served()
    own = None
    if serving is not None:
        own = serving.own() if keeps_own else serving.opened
    site, keep = current(), own if keeps_own else None
    site.run(site.sessions.end_all(subject, keep=keep, actor=own, reason=reason))
