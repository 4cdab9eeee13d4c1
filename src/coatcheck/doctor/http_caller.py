"""Call an application by its URL."""

import http.client
import ssl
from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

from coatcheck.doctor.answer import MAX_BODY, Answer, shown_request
from coatcheck.doctor.failure import CannotRun
from coatcheck.sessions import Sessions

_SECONDS = 10


class HttpCaller:
    """A client for one origin; credentials in the URL are not used and not shown.

    Args:
        ca: a file of certificates to believe besides the system's.

    Raises:
        CannotRun: the URL is none for HTTP, or the file holds no certificates.
    """

    def __init__(self, url: str, ca: str | None = None) -> None:
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            host, port, parts = None, None, urlsplit("")
        if parts.scheme not in ("http", "https") or not host:
            raise CannotRun("is no URL of a website", "target", "write https://host/path")
        self.is_encrypted = parts.scheme == "https"
        self.host = host
        name = f"[{host}]" if ":" in host else host
        self.origin = f"{parts.scheme}://{name}{f':{port}' if port else ''}"
        self._port = port
        try:
            self._tls = ssl.create_default_context(cafile=ca) if self.is_encrypted else None
        except OSError as error:
            what = f"cannot be read as certificates ({type(error).__name__})"
            raise CannotRun(what, f"--ca {ca}", "give a PEM file") from None

    def send(self, method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> Answer:
        """See `Caller.send`."""
        if self._tls is not None:
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                self.host, self._port, timeout=_SECONDS, context=self._tls
            )
        else:
            connection = http.client.HTTPConnection(self.host, self._port, timeout=_SECONDS)
        try:
            connection.request(method, path, body or None, dict(headers))
            response = connection.getresponse()
            request, content = shown_request(method, path), response.read(MAX_BODY)
            return Answer.of(request, response.status, response.getheaders(), content)
        except ssl.SSLCertVerificationError as error:
            raise CannotRun(
                f"its certificate is not valid ({error.verify_message})",
                self.origin,
                "renew it, or name your own authority by --ca",
            ) from None
        except (OSError, http.client.HTTPException) as error:
            why = f"does not answer ({type(error).__name__})"
            raise CannotRun(why, self.origin, "see that it runs and is reached from here") from None
        finally:
            connection.close()

    def close(self, used: Collection[Sessions] = ()) -> None:
        """See `Caller.close`: each request has a connection of its own."""
