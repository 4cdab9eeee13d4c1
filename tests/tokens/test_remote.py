"""Keys that an issuer publishes: asked for beside the requests, believed for so long (R-085)."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from coatcheck.errors import ConfigurationError, InvalidToken, StoreUnavailable
from coatcheck.tokens import RemoteKeys, SigningKeys, Verifier
from tests.tokens.forge import AUDIENCE, ISSUER, NOW, forge, signing

OLD, NEW = signing("ES256"), signing("ES256")


class Publisher:
    """Serves what a test wants it to, and counts."""

    def __init__(self) -> None:
        self.status, self.location = 200, ""
        self.body = json.dumps(OLD.jwks()).encode()
        self.is_garbled = self.drips = False
        self.asked: list[str] = []
        self.may_answer = threading.Event()
        self.may_answer.set()
        publisher = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                publisher.asked.append(self.path)
                assert publisher.may_answer.wait(30)
                if publisher.is_garbled:
                    self.wfile.write(b"what is this\r\n\r\n")
                    return
                self.send_response(302 if publisher.location else publisher.status)
                if publisher.location:
                    self.send_header("Location", publisher.location)
                self.end_headers()
                while publisher.drips:
                    try:
                        self.wfile.write(b" ")
                    except OSError:
                        return
                    time.sleep(0.02)
                self.wfile.write(publisher.body)

            def log_message(self, format: str, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/jwks.json"
        self._thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self._thread.start()

    def publish(self, keys: SigningKeys) -> None:
        self.body = json.dumps(keys.jwks()).encode()

    def close(self) -> None:
        self.may_answer.set()
        self.drips = False
        self.server.shutdown()
        self._thread.join()
        self.server.server_close()


class Seconds:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    publisher = Publisher()
    yield publisher
    publisher.close()


@pytest.fixture
def another() -> Iterator[Publisher]:
    """One that publishes the new keys."""
    another = Publisher()
    another.publish(NEW)
    yield another
    another.close()


@pytest.fixture
def clock() -> Seconds:
    return Seconds()


@pytest.fixture
def keys(publisher: Publisher, clock: Seconds) -> RemoteKeys:
    return RemoteKeys(publisher.url, clock=clock)


def asking() -> None:
    """Wait until nobody asks any more."""
    for thread in threading.enumerate():
        if thread.name == "coatcheck-keys":
            thread.join(30)


def is_known(keys: RemoteKeys, of: SigningKeys) -> bool:
    return keys.find(of.first.id) is not None


def test_no_request_waits_for_the_first_keys(publisher: Publisher, keys: RemoteKeys) -> None:
    """Fails when whoever comes first asks, and holds an event loop up."""
    publisher.may_answer.clear()
    for _ in range(3):
        with pytest.raises(StoreUnavailable, match="the issuer's keys are not known for now"):
            is_known(keys, OLD)
    publisher.may_answer.set()
    asking()
    assert is_known(keys, OLD)
    assert publisher.asked == ["/jwks.json"]


def test_they_are_there_from_the_start_where_that_is_asked_for(
    publisher: Publisher, keys: RemoteKeys
) -> None:
    keys.refresh()
    verifier = Verifier(ISSUER, audience=AUDIENCE, keys=keys, clock=lambda: NOW)
    assert verifier.verify(forge(OLD.first)).subject == "alice"
    with pytest.raises(InvalidToken, match="no key that is known here"):
        verifier.verify(forge(NEW.first))
    assert publisher.asked == ["/jwks.json"]


def test_new_keys_are_found_and_old_ones_forgotten(
    publisher: Publisher, keys: RemoteKeys, clock: Seconds
) -> None:
    """Fails when a key that was withdrawn goes on."""
    keys.refresh()
    publisher.publish(NEW)
    clock.now += 299
    assert is_known(keys, OLD)
    asking()
    assert len(publisher.asked) == 1
    clock.now += 1
    assert is_known(keys, OLD), "they are asked for behind"
    asking()
    assert (is_known(keys, OLD), is_known(keys, NEW)) == (False, True)


def test_a_quiet_service_refuses_no_token_of_a_key_that_is_new(
    publisher: Publisher, keys: RemoteKeys, clock: Seconds
) -> None:
    """It is asked to come again. Fails when what was known an hour ago is all there is."""
    keys.refresh()
    publisher.publish(NEW)
    clock.now += 900
    with pytest.raises(StoreUnavailable):
        is_known(keys, NEW)
    asking()
    assert (is_known(keys, NEW), is_known(keys, OLD)) == (True, False)


def test_where_nobody_answered_they_are_asked_for_again_soon(
    publisher: Publisher, keys: RemoteKeys, clock: Seconds
) -> None:
    """As where services start before the issuer does."""
    publisher.status = 503
    for _ in range(3):
        with pytest.raises(StoreUnavailable):
            is_known(keys, OLD)
        asking()
    assert len(publisher.asked) == 1
    publisher.status = 200
    clock.now += 2
    with pytest.raises(StoreUnavailable):
        is_known(keys, OLD)
    asking()
    assert is_known(keys, OLD)


def test_a_key_that_is_not_known_is_asked_for_but_not_by_everybody(
    publisher: Publisher, keys: RemoteKeys, clock: Seconds
) -> None:
    """Fails when made-up keys make as many requests."""
    keys.refresh()
    publisher.publish(NEW)
    clock.now += 30
    for number in range(50):
        assert keys.find(f"made up {number}") is None
    asking()
    assert len(publisher.asked) == 2
    assert is_known(keys, NEW)


@pytest.mark.parametrize(
    "how", ["gone", "error", "garbled", "garbage", "empty", "redirect", "large", "secret"]
)
def test_where_nobody_answers_they_are_believed_for_so_long(
    publisher: Publisher,
    keys: RemoteKeys,
    clock: Seconds,
    caplog: pytest.LogCaptureFixture,
    how: str,
) -> None:
    """Fails when an outage, or what somebody else answers, lets all in or nobody."""
    keys.refresh()
    secret = json.loads(SigningKeys.new_key())
    wrong: dict[str, Callable[[], object]] = {
        "gone": publisher.server.server_close,
        "error": lambda: setattr(publisher, "status", 500),
        "garbled": lambda: setattr(publisher, "is_garbled", True),
        "garbage": lambda: setattr(publisher, "body", b"<html>"),
        "empty": lambda: setattr(publisher, "body", b'{"keys": []}'),
        "redirect": lambda: setattr(publisher, "location", "/evil.json"),
        "large": lambda: setattr(publisher, "body", b" " * 300_000 + publisher.body),
        "secret": lambda: setattr(publisher, "body", json.dumps({"keys": [secret]}).encode()),
    }
    wrong[how]()
    clock.now += 3_599
    assert is_known(keys, OLD)
    asking()
    assert "keys for access tokens cannot be had" in caplog.text
    assert secret["d"] not in caplog.text
    assert "/evil.json" not in publisher.asked
    assert is_known(keys, OLD)
    clock.now += 1
    with pytest.raises(StoreUnavailable):
        is_known(keys, OLD)
    asking()


def test_this_machine_is_asked_itself_and_no_proxy(
    publisher: Publisher, another: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fails when whoever is named in the environment says what the keys are."""
    monkeypatch.setenv("http_proxy", another.url)
    monkeypatch.delenv("no_proxy", raising=False)
    keys = RemoteKeys(publisher.url)
    keys.refresh()
    assert (is_known(keys, OLD), is_known(keys, NEW), another.asked) == (True, False, [])


def test_an_answer_that_drips_is_given_up(
    publisher: Publisher, keys: RemoteKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fails when each drop is waited for, and nobody else is asked meanwhile."""
    monkeypatch.setattr("coatcheck.tokens.remote._TIMEOUT", 0.2)
    publisher.drips = True
    with pytest.raises(StoreUnavailable, match="takes too long"):
        keys.refresh()


def test_a_thread_that_hangs_is_not_waited_for(
    publisher: Publisher, keys: RemoteKeys, clock: Seconds
) -> None:
    publisher.may_answer.clear()
    for _ in range(3):
        with pytest.raises(StoreUnavailable):
            is_known(keys, OLD)
    clock.now += 40
    with pytest.raises(StoreUnavailable):
        is_known(keys, OLD)
    publisher.may_answer.set()
    asking()
    assert len(publisher.asked) == 2


def test_a_late_answer_does_not_bring_back_what_was_withdrawn(
    publisher: Publisher, another: Publisher, keys: RemoteKeys, clock: Seconds
) -> None:
    """Fails when whoever answers last is believed."""
    publisher.may_answer.clear()
    with pytest.raises(StoreUnavailable):
        is_known(keys, OLD)
    while not publisher.asked:
        time.sleep(0.001)
    clock.now += 1
    keys._url = another.url  # pyright: ignore[reportPrivateUsage]
    keys.refresh()
    publisher.may_answer.set()
    asking()
    assert (is_known(keys, OLD), is_known(keys, NEW)) == (False, True)


@pytest.mark.parametrize(
    "url",
    [
        "http://shop.example/jwks",
        "http://localhost.evil.example/",
        "https://user:password@shop.example/",
        "https://",
        "file:///etc/passwd",
        "ftp://shop.example/x",
        "https://shop.example:x/",
        "https://shop.example:99999/",
        "https://shop .example/",
        "https://shop.example/\n",
        "shop",
        "",
    ],
)
def test_an_address_that_others_can_read_or_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        RemoteKeys(url)
    assert caught.value.setting == "url"


@pytest.mark.parametrize("every", [timedelta(seconds=29), timedelta(hours=2), 300], ids=repr)
def test_how_often_they_are_asked_for_is_bounded(every: Any) -> None:
    with pytest.raises(ConfigurationError, match="every: "):
        RemoteKeys("https://shop.example/jwks", every=every)
    with pytest.raises(ConfigurationError, match="trust: "):
        RemoteKeys("https://shop.example/jwks", trust=timedelta(days=2))
