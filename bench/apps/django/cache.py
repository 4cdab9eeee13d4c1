"""Django's sessions in its cache, RedisCache."""

from bench.apps.django.pages import application
from bench.apps.store import STORE

app = application(
    CACHES={
        "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": STORE}
    },
    SESSION_ENGINE="django.contrib.sessions.backends.cache",
)
