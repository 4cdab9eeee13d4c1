"""Sessions in Redis or Valkey: one server, behind Sentinel, or a cluster."""

from coatcheck.stores.redis.store import RedisStore

__all__ = ["RedisStore"]
