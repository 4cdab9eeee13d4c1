"""A shop as it stands on the internet: nginx terminates TLS in front of uvicorn."""

import datetime as dt
import socket
import threading
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Any, NamedTuple

import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from coatcheck import Sessions
from tests.servers import Server, free_port, program
from tests.web.app import shop

_NGINX = """
daemon off;
pid {folder}/nginx.pid;
worker_processes 1;
events {{ worker_connections 64; }}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{tls} ssl;
        listen 127.0.0.1:{plain};
        ssl_certificate {folder}/certificate.pem;
        ssl_certificate_key {folder}/key.pem;
        location / {{
            proxy_pass http://127.0.0.1:{app};
            proxy_set_header Host $host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto $scheme;
        }}
    }}
}}
"""


class Site(NamedTuple):
    """Where the shop is reached, and the certificate to believe."""

    https: str
    http: str
    certificate: str


@contextmanager
def site(
    sessions: Sessions, folder: Path, *, proxy_headers: bool, **settings: Any
) -> Generator[Site]:
    """Run the shop behind nginx; `proxy_headers` is whether uvicorn itself reads them."""
    tls, plain = free_port(), free_port()
    certify(folder)
    with ExitStack() as running:
        app = running.enter_context(_uvicorn(sessions, proxy_headers, settings))
        conf = folder / "nginx.conf"
        conf.write_text(_NGINX.format(folder=folder, tls=tls, plain=plain, app=app))
        command = [program("nginx"), "-c", str(conf), "-e", str(folder / "error.log")]
        nginx = Server(command, tls, folder)
        running.callback(nginx.stop)
        nginx.start()
        certificate = str(folder / "certificate.pem")
        yield Site(f"https://127.0.0.1:{tls}", f"http://127.0.0.1:{plain}", certificate)


@contextmanager
def _uvicorn(sessions: Sessions, proxy_headers: bool, settings: dict[str, Any]) -> Generator[int]:
    """Serve on a port that listens already, so that nobody has to wait for it."""
    config = uvicorn.Config(
        shop(sessions, **settings),
        proxy_headers=proxy_headers,
        lifespan="off",
        ws="none",
        log_config=None,
    )
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield int(listener.getsockname()[1])
        finally:
            server.should_exit = True
            thread.join()


def certify(folder: Path) -> None:
    """Write a certificate for 127.0.0.1 and a shop's name that vouches for itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a shop under test")])
    names = [x509.IPAddress(ip_address("127.0.0.1")), x509.DNSName("shop.example.com")]
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(pem))
    (folder / "key.pem").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
