"""What the tests start leaves nothing behind."""

from pathlib import Path

from tests.redis_topologies import ask
from tests.servers import Server, free_port, program


def test_what_a_server_writes_unasked_is_in_its_folder(tmp_path: Path) -> None:
    """Fails when it is at work where the tests are, and leaves its dump there."""
    port = free_port()
    command = [program("redis-server"), "--port", str(port), "--bind", "127.0.0.1"]
    server = Server([*command, "--loglevel", "warning"], port, tmp_path)
    server.start()
    try:
        ask(server, "SAVE")
    finally:
        server.stop()
    assert [each.name for each in tmp_path.iterdir()] == ["dump.rdb"]
