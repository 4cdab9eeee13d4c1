"""starsessions with its Redis store, put together as its README does."""

from redis.asyncio import Redis
from starlette.middleware import Middleware
from starsessions import SessionAutoloadMiddleware, SessionMiddleware
from starsessions.stores.redis import RedisStore

from bench.apps.starlette.pages import application
from bench.apps.store import STORE

app = application(
    Middleware(
        SessionMiddleware,
        store=RedisStore(connection=Redis.from_url(STORE)),
        lifetime=3600 * 24 * 14,
    ),
    Middleware(SessionAutoloadMiddleware),
)
