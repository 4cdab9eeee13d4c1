"""What clients send to Redis is counted exactly, what scripts do is not."""

from bench.redis import Watch, connect
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
