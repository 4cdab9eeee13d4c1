"""The application for `INSTALLED_APPS`, which follows what becomes of the users."""

from django.apps import AppConfig

from coatcheck.web.django import users


class CoatcheckConfig(AppConfig):
    """Ends all sessions of a user who is disabled, deleted, or gets another password."""

    name = "coatcheck.web.django"
    label = "coatcheck"
    verbose_name = "coatcheck"

    def ready(self) -> None:
        """Begin to listen."""
        users.follow()
