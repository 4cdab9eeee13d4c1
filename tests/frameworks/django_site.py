"""The Django site of the tests: one a process, whose sessions and pages each test chooses."""

from collections.abc import Generator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import django
from django.conf import settings
from django.core.management import call_command
from django.test import Client, override_settings
from django.urls import clear_script_prefix, path

from coatcheck import MemoryStore
from tests.servers import scratch

OUR_SESSIONS = "coatcheck.web.django.middleware.SessionMiddleware"
OUR_AUTH = "coatcheck.web.django.auth.AuthenticationMiddleware"

FOLDER = scratch()

if not settings.configured:
    settings.configure(
        ALLOWED_HOSTS=["*"],
        COATCHECK={"store": MemoryStore()},
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": f"{FOLDER.name}/db",  # of one in memory, Django leaves connections open
            }
        },
        INSTALLED_APPS=[
            "django.contrib.admin",
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.messages",
            "django.contrib.sessions",
        ],
        LOGGING_CONFIG=None,
        MESSAGE_STORAGE="django.contrib.messages.storage.session.SessionStorage",
        MIDDLEWARE=[
            OUR_SESSIONS,
            "django.middleware.common.CommonMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
            OUR_AUTH,
            "django.contrib.messages.middleware.MessageMiddleware",
        ],
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        SECRET_KEY="qO3v-9xT_mZ1rLk7WcYf2Hs8uBn4JdPe6GaXi0VtRwE5yQzSbN",
        SESSION_ENGINE="coatcheck.web.django.engine",
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "APP_DIRS": True,
                "OPTIONS": {
                    "context_processors": [
                        "django.template.context_processors.request",
                        "django.contrib.auth.context_processors.auth",
                        "django.contrib.messages.context_processors.messages",
                    ]
                },
            }
        ],
        USE_TZ=True,
    )
    django.setup()

from django.contrib import admin  # noqa: E402 - they need the settings
from django.contrib.auth.models import User  # noqa: E402
from django.db.models.signals import post_delete, post_save, pre_save  # noqa: E402

from coatcheck.web.django import users  # noqa: E402

__all__ = ["OUR_AUTH", "OUR_SESSIONS", "Browser", "User", "following", "site"]

call_command("migrate", verbosity=0)


class Browser(Client):
    """A client that speaks HTTPS."""

    def generic(self, method: str, path: Any, *args: Any, **more: Any) -> Any:
        more["secure"] = True
        return super().generic(method, path, *args, **more)

    @property
    def tokens(self) -> dict[str, str]:
        """The cookies that were not deleted, by name."""
        return {name: cookie.value for name, cookie in self.cookies.items() if cookie.value}


@contextmanager
def following() -> Generator[None]:
    """Do what `coatcheck.web.django` in INSTALLED_APPS does, which the site has not."""
    users.follow()
    try:
        yield
    finally:
        assert pre_save.disconnect(sender=User, dispatch_uid="coatcheck.saving")
        assert post_save.disconnect(sender=User, dispatch_uid="coatcheck.saved")
        assert post_delete.disconnect(sender=User, dispatch_uid="coatcheck.deleted")


@contextmanager
def site(*pages: Any, **changes: Any) -> Generator[None]:
    """Serve these pages and the admin's, with some settings changed."""
    urls: Any = ModuleType("urls")
    urls.urlpatterns = [*pages, path("admin/", admin.site.urls)]
    with override_settings(ROOT_URLCONF=urls, **changes):
        yield
    clear_script_prefix()  # where the last request had it mounted; Django keeps that by thread
