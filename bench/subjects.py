"""What is compared: an application and where it keeps its sessions."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Kind = Literal["read", "write", "anonymous", "hot"]
KINDS: tuple[Kind, ...] = ("read", "write", "anonymous", "hot")


@dataclass(frozen=True, slots=True)
class Subject:
    """One of the things compared.

    Attributes:
        name: in the results.
        title: in tables and plots.
        app: the module in `bench.apps`, by its framework and its sessions.
        store: `redis`, `sqlite`, `memory`, nothing, or `between`: memory, and a bare exchange with
            Redis each time that a session is loaded or saved.
        unknown: what it answers to somebody without a cookie.
        is_counted: whether what was written can be read back without following cookies.
    """

    name: str
    title: str
    app: str
    store: str = ""
    unknown: str = "nobody"
    is_counted: bool = True

    @property
    def is_baseline(self) -> bool:
        return self.app.endswith((".none", ".undefended"))

    @property
    def is_wsgi(self) -> bool:
        return not self.app.startswith("starlette.")

    def url(self, redis: str, folder: Path) -> str:
        """Return the URL of a store of its own."""
        match self.store:
            case "redis":
                return f"{redis}/{1 if self.app.endswith('.coatcheck') else 2}"
            case "sqlite":
                return f"sqlite:///{folder / self.name}.db"
            case "between":
                return f"between:{redis}"
            case _:
                return f"{self.store}:" if self.store else ""


@dataclass(frozen=True, slots=True)
class Group:
    """The subjects of one framework, which are compared with one another.

    Attributes:
        name: in the results, and as a part to run.
        baseline: the application without sessions.
        kinds: of requests.
        bounds: what no session that asks a store for each request can go below.
    """

    name: str
    title: str
    baseline: Subject
    others: tuple[Subject, ...]
    ours: tuple[Subject, ...]
    kinds: tuple[Kind, ...]
    bounds: tuple[Subject, ...] = ()

    @property
    def subjects(self) -> tuple[Subject, ...]:
        return (self.baseline, *self.bounds, *self.others, *self.ours)


def _none(name: str, framework: str) -> Subject:
    app = f"{framework}.none"
    return Subject(name, "no session", app, unknown="somebody", is_counted=False)


def _bounds(framework: str) -> tuple[Subject, ...]:
    """Return the bare exchange with each store, and with Redis amid what coatcheck does."""
    bare = f"{framework}.bare"
    return (
        Subject(f"{framework}-bare-sqlite", "no session, bare exchanges with SQLite", bare,
                "sqlite", unknown="somebody", is_counted=False),
        Subject(f"{framework}-bare-redis", "no session, bare exchanges with Redis", bare,
                "redis", unknown="somebody", is_counted=False),
        Subject(f"{framework}-between", "coatcheck, memory, with bare exchanges with Redis",
                f"{framework}.coatcheck", "between"),
    )  # fmt: skip


SIGNED = Subject("signed", "Starlette, signed cookie", "starlette.signed", is_counted=False)
STARSESSIONS = Subject(
    "starsessions-redis", "starsessions, Redis", "starlette.starsessions", "redis"
)
COATCHECK = (
    Subject("coatcheck-sqlite", "coatcheck, SQLite", "starlette.coatcheck", "sqlite"),
    Subject("coatcheck-redis", "coatcheck, Redis", "starlette.coatcheck", "redis"),
    Subject("coatcheck-memory", "coatcheck, memory", "starlette.coatcheck", "memory"),
)
STARLETTE = Group(
    "starlette",
    "Starlette",
    _none("none", "starlette"),
    (SIGNED, STARSESSIONS),
    COATCHECK,
    KINDS,
)

FLASK_SIGNED = Subject("flask-signed", "Flask, signed cookie", "flask.signed", is_counted=False)
FLASK_SESSION = Subject("flask-redis", "Flask-Session, Redis", "flask.flask_session", "redis")
FLASK_COATCHECK = (
    Subject("flask-coatcheck-sqlite", "coatcheck in Flask, SQLite", "flask.coatcheck", "sqlite"),
    Subject("flask-coatcheck-redis", "coatcheck in Flask, Redis", "flask.coatcheck", "redis"),
)
FLASK = Group(
    "flask",
    "Flask",
    _none("flask-none", "flask"),
    (FLASK_SIGNED, FLASK_SESSION),
    FLASK_COATCHECK,
    ("read", "write"),
    _bounds("flask"),
)

DJANGO_CACHE = Subject("django-cache", "Django, RedisCache", "django.cache", "redis")
DJANGO_REDIS = Subject("django-redis", "Django, django-redis", "django.django_redis", "redis")
DJANGO_TUNED = Subject("django-tuned", "Django, SQLite, tuned", "django.tuned", "sqlite")
DJANGO_SQLITE = Subject("django-sqlite", "Django, SQLite", "django.database", "sqlite")
DJANGO_COATCHECK = (
    Subject("django-coatcheck-sqlite", "coatcheck in Django, SQLite", "django.coatcheck", "sqlite"),
    Subject("django-coatcheck-redis", "coatcheck in Django, Redis", "django.coatcheck", "redis"),
)
DJANGO = Group(
    "django",
    "Django",
    _none("django-none", "django"),
    (DJANGO_CACHE, DJANGO_REDIS, DJANGO_TUNED),
    DJANGO_COATCHECK,
    ("read", "write"),
    _bounds("django"),
)

UNDEFENDED = Subject(
    "undefended", "coatcheck, SQLite, defences off", "starlette.undefended", "sqlite"
)
DEFENDED = Subject("defended", "coatcheck, SQLite, all defences on", "starlette.defended", "sqlite")
DEFENCES = Group("defences", "Defences", UNDEFENDED, (), (DEFENDED,), ("read", "write"))

GROUPS = (STARLETTE, FLASK, DJANGO, DEFENCES)
OURS = {subject.name for group in GROUPS for subject in group.ours}
