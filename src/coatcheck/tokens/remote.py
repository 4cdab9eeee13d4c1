"""The public keys that an issuer publishes, asked for by a thread, so that no request waits."""

# Or the thread imports it, which deadlocks with what is imported as a process ends.
import encodings.idna  # noqa: F401 # pyright: ignore[reportUnusedImport]
import logging
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

from coatcheck.errors import ConfigurationError, StoreUnavailable
from coatcheck.tokens.issuer_url import is_safe
from coatcheck.tokens.key import Key
from coatcheck.tokens.keys import PublicKeys
from coatcheck.tokens.times import check_time

_TIMEOUT = 5
_LARGEST = 262_144
_SOONEST = 30
"""Seconds before they are asked for again, whoever presents tokens of keys that nobody knows."""
_SOON = 2
"""Seconds, where nobody answered."""
_log = logging.getLogger("coatcheck")


class RemoteKeys:
    """Keys by the URL of a JWK Set, such as `https://shop.example/.well-known/jwks.json`.

    The first token asks for them, and is answered with 503 meanwhile, unless `refresh` did before.
    Later they are asked for every so often, and for a token whose key is not among them; those that
    are known go on until the new ones are there.

    Args:
        url: `https://`, or of this very machine. Nothing in a token changes it.
        every: how often they are asked for, as long as tokens come.
        trust: how long they are believed where nobody answers, or no token comes: a key that was
            withdrawn for being stolen is good for so long.
        clock: seconds that only grow.

    Raises:
        ConfigurationError: an argument cannot work; it names the setting.
    """

    def __init__(
        self,
        url: str,
        *,
        every: timedelta = timedelta(minutes=5),
        trust: timedelta = timedelta(hours=1),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not is_safe(url):
            problem = f"{url!r} is no https:// URL, nor http:// of localhost; see PublicKeys"
            raise ConfigurationError("url", problem)
        check_time("trust", trust, timedelta(seconds=_SOONEST), timedelta(days=1))
        check_time("every", every, timedelta(seconds=_SOONEST), trust / 2)
        self._url, self._clock = url, clock
        self._every, self._trust = every.total_seconds(), trust.total_seconds()
        self._keys: PublicKeys | None = None
        self._known_at = self._again_at = self._asked_at = float("-inf")
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def find(self, id: str, /) -> Key | None:
        """Return the key of that id, and no other one; it never waits.

        Raises:
            StoreUnavailable: it is not known, and they have not been told for a while; or for so
                long that none is trusted.
        """
        now = self._clock()
        key = None if self._keys is None else self._keys.find(id)
        is_old = now - self._known_at >= self._every
        if (is_old or key is None) and now >= self._again_at and not self._is_asking(now):
            self._ask(now)
        if now - self._known_at >= self._trust or (is_old and key is None):
            raise StoreUnavailable("the issuer's keys are not known for now")
        return key

    def _is_asking(self, now: float) -> bool:
        """Tell whether a thread does, that may still come to an end; in a fork it is gone."""
        is_alive = self._thread is not None and self._thread.is_alive()
        return is_alive and now - self._asked_at < 2 * _TIMEOUT

    def _ask(self, now: float) -> None:
        self._again_at, self._asked_at = now + _SOONEST, now
        self._thread = threading.Thread(target=self._try, name="coatcheck-keys", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:  # there is none to be had; or the process ends
            self._thread = None

    def refresh(self) -> None:
        """Ask for them now, and wait, as where an application starts.

        Raises:
            StoreUnavailable: nobody answers, or something that is no JWK Set.
        """
        asked_at = self._clock()
        try:
            keys = PublicKeys.parse(_fetch(self._url))
        except HTTPError as error:
            error.close()
            raise StoreUnavailable(f"{self._url} answers with {error.code}") from None
        except (OSError, HTTPException, ValueError, ConfigurationError) as error:
            raise StoreUnavailable(f"{self._url}: {ascii(str(error))[:200]}") from None
        with self._lock:  # an answer that took its time is no news
            if asked_at >= self._known_at:
                self._keys, self._known_at = keys, asked_at
                self._again_at = asked_at + _SOONEST

    def _try(self) -> None:
        try:
            self.refresh()
        except Exception as error:
            self._again_at = self._clock() + _SOON
            _log.warning("keys for access tokens cannot be had: %s", error)

    def __repr__(self) -> str:
        return f"<RemoteKeys of {self._url}>"


class _Stay(HTTPRedirectHandler):
    """Follows nobody to where the application did not say."""

    def redirect_request(self, req: Request, *_: Any, **__: Any) -> None:
        return None


def _fetch(url: str) -> bytes:
    """Return what is there, within the time and the size that there are for it."""
    # Who says localhost means this machine, and no proxy that the environment names.
    handlers = [_Stay, ProxyHandler({})] if url.startswith("http:") else [_Stay]
    asked = Request(url, headers={"Accept": "application/json"})  # noqa: S310 - it was checked
    deadline, found = time.monotonic() + _TIMEOUT, b""
    with build_opener(*handlers).open(asked, timeout=_TIMEOUT) as response:
        while more := response.read1(_LARGEST):
            found += more
            if len(found) > _LARGEST:
                raise ValueError(f"has over {_LARGEST} bytes")
            if time.monotonic() > deadline:
                raise TimeoutError("takes too long")
    return found
