"""Sessions by a client of one's own, as when an application shares its settings."""

# part: sentinel
from redis.asyncio import RedisCluster
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff

from coatcheck import Sessions
from coatcheck.stores.redis import RedisStore


def behind_sentinel(sentinels: list[tuple[str, int]], name: str) -> Sessions:
    known = Sentinel(
        sentinels,
        sentinel_kwargs={"socket_timeout": 0.5, "retry": Retry(NoBackoff(), 0)},
        retry=Retry(NoBackoff(), 0),  # coatcheck repeats what is safe to repeat
        socket_timeout=2,
        socket_connect_timeout=2,
    )
    return Sessions(RedisStore(known.master_for(name), wait=1))


# end part
# part: cluster
def in_a_cluster(host: str, port: int) -> Sessions:
    return Sessions(RedisStore(RedisCluster(host, port)))


# end part
