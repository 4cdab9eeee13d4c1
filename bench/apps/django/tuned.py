"""Django's own sessions, in an SQLite database that is tuned: WAL, NORMAL, connections kept."""

from django.core.management import call_command

from bench.apps.django.pages import application
from bench.apps.store import STORE

app = application(
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": STORE.removeprefix("sqlite:///"),
            "CONN_MAX_AGE": None,
            "OPTIONS": {
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL",
                "transaction_mode": "IMMEDIATE",
            },
        }
    },
    INSTALLED_APPS=["django.contrib.sessions"],
)
call_command("migrate", verbosity=0)
