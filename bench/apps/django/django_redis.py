"""Django's sessions in the cache of django-redis."""

from bench.apps.django.pages import application
from bench.apps.store import STORE

app = application(
    CACHES={"default": {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": STORE}},
    SESSION_ENGINE="django.contrib.sessions.backends.cache",
)
