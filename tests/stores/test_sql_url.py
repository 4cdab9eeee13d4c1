"""What a database's URL says, to each driver: TLS, a pooler, its own options."""

import asyncio
import gc
import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from coatcheck import store_from_url
from coatcheck.errors import ConfigurationError, StoreUnavailable
from coatcheck.stores.protocol import Store
from coatcheck.stores.sql.url import for_driver
from coatcheck.waiting import Kind, finish
from tests.servers import (
    Server,
    mariadb_server,
    mariadb_url,
    postgres_server,
    postgres_url,
    with_tables,
)
from tests.web.https import certify


@pytest.fixture(scope="module")
def folder() -> Generator[Path]:
    """Certificates, ours and another's, where the databases' users may read them."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        for sub in ("ours", "others"):
            (folder / sub).mkdir(mode=0o755)
            certify(folder / sub)
        yield folder


def key_of(folder: Path, user: str) -> Path:
    copy = folder / f"{user}.pem"
    shutil.copyfile(folder / "ours" / "key.pem", copy)
    copy.chmod(0o600)
    if folder.owner() == "root":
        shutil.chown(copy, user)
    return copy


@pytest.fixture(scope="module")
def tls_urls(folder: Path) -> Generator[dict[str, str]]:
    certificate = str(folder / "ours" / "certificate.pem")
    options = ["ssl=on", f"ssl_cert_file={certificate}"]
    options.append(f"ssl_key_file={key_of(folder, 'postgres')}")
    with (
        postgres_server(*(word for option in options for word in ("-c", option))) as postgres,
        mariadb_server(
            f"--ssl-cert={certificate}", f"--ssl-key={key_of(folder, 'mysql')}"
        ) as mariadb,
    ):
        yield {
            "postgresql": with_tables(postgres_url(postgres)),
            "mysql": with_tables(mariadb_url(mariadb)),
        }


async def is_there(store: Store) -> bool:
    try:
        return await store.load("none") is None
    finally:
        await store.close()


async def reached(url: str, kind: Kind) -> bool:
    if kind is Kind.ASYNCIO:
        return await is_there(store_from_url(url))
    return await asyncio.to_thread(lambda: finish(is_there(store_from_url(url, blocking=True))))


@pytest.mark.parametrize("kind", [Kind.ASYNCIO, Kind.BLOCKING])
async def test_postgresql_by_tls(tls_urls: dict[str, str], folder: Path, kind: Kind) -> None:
    url = tls_urls["postgresql"]
    for query in (
        "sslmode=require",
        "sslmode=verify-full&sslrootcert={}",
        "sslmode=verify-ca&sslrootcert={}",
    ):
        ours = query.format(folder / "ours" / "certificate.pem")
        assert await reached(f"{url}&{ours}", kind)
        if "{}" in query:
            others = query.format(folder / "others" / "certificate.pem")
            with pytest.raises(StoreUnavailable):
                await reached(f"{url}&{others}", kind)
    far = url.replace("127.0.0.1", "localhost")  # the certificate is not for it
    root = f"sslrootcert={folder / 'ours' / 'certificate.pem'}"
    assert await reached(f"{far}&sslmode=verify-ca&{root}", kind)
    with pytest.raises(StoreUnavailable):
        await reached(f"{far}&sslmode=verify-full&{root}", kind)


# asyncmy leaves the socket of a handshake that failed to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("kind", [Kind.ASYNCIO, Kind.BLOCKING])
async def test_mariadb_by_tls(tls_urls: dict[str, str], folder: Path, kind: Kind) -> None:
    url = tls_urls["mysql"]
    assert await reached(f"{url}&ssl_ca={folder / 'ours' / 'certificate.pem'}", kind)
    with pytest.raises(StoreUnavailable):
        await reached(f"{url}&ssl_ca={folder / 'others' / 'certificate.pem'}", kind)
    gc.collect()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("kind", [Kind.ASYNCIO, Kind.BLOCKING])
async def test_nothing_is_sent_in_plain(
    postgres: Server, mariadb: Server, folder: Path, kind: Kind
) -> None:
    """A server that speaks no TLS is refused where the URL asks for it."""
    ca = folder / "ours" / "certificate.pem"
    for url in (f"{postgres_url(postgres)}?sslmode=require", f"{mariadb_url(mariadb)}?ssl_ca={ca}"):
        with pytest.raises(StoreUnavailable):
            await reached(url, kind)
    gc.collect()


@pytest.mark.parametrize(
    ("driver", "options"),
    [("asyncpg", {"statement_cache_size": 0}), ("psycopg", {"prepare_threshold": None})],
)
async def test_one_url_has_neither_driver_prepare(
    postgres: Server, driver: str, options: dict[str, object]
) -> None:
    url = f"{postgres_url(postgres)}?statement_cache_size=0"
    assert for_driver(make_url(url), driver)[1] == options
    kind = Kind.ASYNCIO if driver == "asyncpg" else Kind.BLOCKING
    assert await reached(with_tables(url), kind)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("statement_cache_size=many", "must be a number"),
        ("sslmode=verify-full&sslrootcert=/none.pem", "no file of certificates"),
        ("pool_size=0", "from 1 on"),
        ("prefix=Robert'); DROP", "is no name"),
    ],
)
def test_a_wrong_option_stops_the_start(query: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as caught:
        store_from_url(f"postgresql://shop:hunter2@db/shop?{query}")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("kind", [Kind.ASYNCIO, Kind.BLOCKING])
@pytest.mark.parametrize(
    ("scheme", "drivers"),
    [
        ("postgres", ("", "")),
        ("postgresql", ("+asyncpg", "+psycopg")),
        ("postgres", ("+asyncpg", "+psycopg")),
        ("POSTGRES", ("", "")),
        ("mariadb", ("", "")),
        ("mysql", ("+asyncmy", "+pymysql")),
        ("mariadb", ("+asyncmy", "+pymysql")),
    ],
)
async def test_every_spelling_of_a_database(
    postgres: Server, mariadb: Server, scheme: str, drivers: tuple[str, str], kind: Kind
) -> None:
    is_postgres = scheme.lower().startswith("postgres")
    url = postgres_url(postgres) if is_postgres else mariadb_url(mariadb)
    url = await asyncio.to_thread(with_tables, url)
    driver = drivers[kind is Kind.BLOCKING]
    assert await reached(f"{scheme}{driver}{url[url.index(':') :]}", kind)


@pytest.mark.parametrize(
    ("scheme", "blocking", "right"),
    [
        ("postgresql+psycopg2", False, r"asyncio: write postgresql\+asyncpg://"),
        ("postgresql+psycopg2", True, r"threads: write postgresql\+psycopg://"),
        ("postgres+psycopg", False, r"asyncio: write postgresql\+asyncpg://"),
        ("mysql+pymysql", False, r"asyncio: write mysql\+asyncmy://"),
        ("mariadb+mariadbconnector", True, r"threads: write mysql\+pymysql://"),
    ],
)
def test_another_driver_stops_the_start_and_names_the_right_one(
    scheme: str, blocking: bool, right: str
) -> None:
    with pytest.raises(ConfigurationError, match=right) as caught:
        store_from_url(f"{scheme}://shop:hunter2@db/shop", blocking=blocking)
    assert "hunter2" not in str(caught.value)
