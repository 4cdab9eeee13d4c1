"""A small web server behind the balancer: notes what reaches it, answers what it is told to."""

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import NamedTuple

Headers = list[tuple[str, str]]


class Seen(NamedTuple):
    """One request as it arrived; names of headers in lower case."""

    line: str
    headers: Headers
    body: bytes


class Origin(ThreadingHTTPServer):
    """Listens on a free port until it is stopped; each connection serves one request.

    Attributes:
        answer: headers to send with each answer, whose body is the origin's name.
        hangs_up: close the connection instead, with the request read and nothing said.
    """

    def __init__(self, name: str) -> None:
        super().__init__(("127.0.0.1", 0), _Exchange)
        self.name = name
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.seen: list[Seen] = []
        self.answer: Headers = []
        self.hangs_up = False
        self._thread = Thread(target=self.serve_forever, args=(0.01,))
        self._thread.start()

    def stop(self) -> None:
        """Stop listening; twice is fine."""
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Exchange(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def handle_one_request(self) -> None:
        """Serve one request of any method."""
        origin = self.server
        assert isinstance(origin, Origin)
        self.raw_requestline = self.rfile.readline()
        if not self.raw_requestline or not self.parse_request():
            return
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = [(name.lower(), value) for name, value in self.headers.items()]
        origin.seen.append(Seen(self.requestline, headers, body))
        self.close_connection = True
        if not origin.hangs_up:
            self._answer(origin.answer, origin.name.encode())

    def _answer(self, headers: Headers, body: bytes) -> None:
        self.send_response_only(201)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
