"""What clients send to Redis is counted exactly, what scripts do is not."""

from pathlib import Path

from bench.redis import Watch, connect, redis_server
from tests.servers import Server


def test_a_script_is_one_command_and_what_it_writes_a_write(redis: Server) -> None:
    url = f"redis://127.0.0.1:{redis.port}"
    client = connect(url)
    client.ping()
    with Watch(url) as watch:
        client.get("bench")
        client.eval("redis.call('GET', KEYS[1]) redis.call('SET', KEYS[1], 1)", 1, "bench")
    assert (watch.sent, watch.writes) == (["GET", "EVAL"], 1)
    client.close()


def test_a_redis_of_the_benchmarks_writes_to_a_folder_of_its_own() -> None:
    """Fails when it is at work where the benchmarks are, and leaves its dump there."""
    with redis_server() as url, connect(url) as client:
        folder = Path(client.config_get("dir")["dir"])
        client.save()
        assert [each.name for each in folder.iterdir()] == ["dump.rdb"]
    assert not folder.exists()
