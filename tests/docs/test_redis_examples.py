"""The clients of docs/how-to/redis.md lead where they should."""

from coatcheck import Sessions
from tests.docs.test_examples import load
from tests.redis_topologies import SERVICE, Nodes, Watched


async def use(sessions: Sessions) -> None:
    session = await sessions.open(None)
    session.sign_in("alice")
    token = (await sessions.commit(session)).token
    assert (await sessions.open(token)).subject == "alice"
    assert await sessions.end_all("alice") == 1
    await sessions.close()


async def test_behind_sentinel(behind_sentinel: Watched) -> None:
    addresses = [("127.0.0.1", server.port) for server in behind_sentinel.sentinels]
    await use(load("redis_clients").behind_sentinel(addresses, SERVICE))


async def test_in_a_cluster(cluster: Nodes) -> None:
    await use(load("redis_clients").in_a_cluster("127.0.0.1", cluster.masters[0].port))
