"""The subcommands. What they do is done elsewhere."""

import json
import sys
from contextlib import redirect_stdout
from traceback import extract_tb
from typing import Annotated, NoReturn
from urllib.parse import urlsplit

import typer
from rich.console import Console

from coatcheck.cli import backup, login_data, made_tables, table
from coatcheck.core.profiles import PROFILES
from coatcheck.doctor.examination import examine
from coatcheck.doctor.failure import CannotRun
from coatcheck.doctor.finding import Severity
from coatcheck.doctor.order import Order
from coatcheck.doctor.target import path_of
from coatcheck.doctor.trial import Plan
from coatcheck.errors import ConfigurationError, StoreUnavailable
from coatcheck.keyring import Keyring

# A traceback with local variables would show whatever an application holds.
app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Tools for sessions.",
)
app.command()(backup.export)
app.command("import")(backup.import_)


@app.command()
def key() -> None:
    """Print a new key for a keyring."""
    typer.echo(Keyring.new_key())


@app.command()
def signing_key(
    algorithm: Annotated[
        str, typer.Argument(help="ES256, EdDSA, Ed25519, RS256, HS256 or HS512")
    ] = "ES256",
) -> None:
    """Print a new key to sign access tokens by: a secret, a JWK on one line."""
    try:
        from coatcheck.tokens import SigningKeys  # noqa: PLC0415 - needs the extra

        typer.echo(SigningKeys.new_key(algorithm))
    except (ConfigurationError, ImportError) as error:
        _give_up("signing-key", str(error))


@app.command()
def tables(
    url: Annotated[str, typer.Argument(help="postgresql://..., mysql://..., as for a store")],
    sql: Annotated[
        bool, typer.Option("--sql", help="print the statements, and do nothing")
    ] = False,
) -> None:
    """Make the tables of sessions in an SQL database, or bring them up to date."""
    try:
        lines = made_tables.definitions(url) if sql else made_tables.make(url)
    except (ConfigurationError, StoreUnavailable) as error:
        _give_up("tables", str(error))
    typer.echo("\n".join(lines))


@app.command()
def doctor(
    target: Annotated[
        str | None,
        typer.Argument(help="https://host/page, or module:app of an ASGI or WSGI application"),
    ] = None,
    store: Annotated[str | None, typer.Option(help="URL of the store")] = None,
    sessions: Annotated[
        str | None, typer.Option(help="module:name of a Sessions that is not found by itself")
    ] = None,
    entry: Annotated[
        str | None, typer.Option(help="a page for everybody; by default / or the URL's own path")
    ] = None,
    login_url: Annotated[str | None, typer.Option(help="where the login's form is sent")] = None,
    login_fields: Annotated[
        str | None,
        typer.Option(
            "--login-data", help="the form's fields, a JSON object: @file, or - for standard input"
        ),
    ] = None,
    login_json: Annotated[
        bool, typer.Option("--login-json", help="send those of --login-data as JSON, not as a form")
    ] = False,
    logout_url: Annotated[str | None, typer.Option(help="where the logout's form is sent")] = None,
    page: Annotated[
        str | None, typer.Option(help="a page that only those who are signed in see")
    ] = None,
    cookie: Annotated[
        list[str] | None, typer.Option(help="name of the session's cookie; may be repeated")
    ] = None,
    profile: Annotated[
        str | None, typer.Option(help=f"ceilings for timeouts: {', '.join(PROFILES)}")
    ] = None,
    host: Annotated[str, typer.Option(help="host name that an application expects")] = "localhost",
    ca: Annotated[str | None, typer.Option(help="PEM file of an authority of your own")] = None,
    fail_on: Annotated[
        Severity, typer.Option(help="exit with 1 from findings of this severity on")
    ] = Severity.WARNING,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON for programs")] = False,
) -> None:
    """Check an application, and the store of its sessions.

    Exits with 0 if all is well, 1 if something was found, 2 if it could not be checked.
    """
    try:
        if profile is not None and profile not in PROFILES:
            known = ", ".join(PROFILES)
            raise CannotRun(f"{profile!r} is no profile", "--profile", f"name one of {known}")
        if login_fields is not None and login_url is None:
            raise CannotRun("is missing", "--login-url", "name where the form is sent")
        plan = Plan(
            entry=_path(entry, "--entry", target),
            login=_path(login_url, "--login-url", target),
            logout=_path(logout_url, "--logout-url", target),
            page=_path(page, "--page", target),
            fields=login_data.read(login_fields) if login_fields is not None else {},
            as_json=login_json,
            cookies=tuple(cookie or ()),
        )
        with redirect_stdout(sys.stderr):  # whatever an application prints is not our answer
            report = examine(Order(target, store, sessions, profile, host, ca, plan))
    except CannotRun as error:
        typer.echo(f"coatcheck doctor: {error}", err=True)
        raise typer.Exit(2) from None
    except Exception as error:  # its text, and a traceback, may hold anything
        at = extract_tb(error.__traceback__)[-1]
        said = f"failed by {type(error).__name__} in {at.name}, {at.filename}:{at.lineno}"
        typer.echo(f"coatcheck doctor: {said}", err=True)
        raise typer.Exit(2) from None
    if as_json:
        typer.echo(json.dumps(report.as_json(), indent=2))
    else:
        table.show(report, Console())
    raise typer.Exit(int(report.has(fail_on)))


def _give_up(command: str, why: str) -> NoReturn:
    typer.echo(f"coatcheck {command}: {why}", err=True)
    raise typer.Exit(2) from None


def _path(given: str | None, option: str, target: str | None) -> str | None:
    """Return the path of a URL, which is of the same application.

    Raises:
        CannotRun: it is of another one.
    """
    if given is None:
        return None
    parts, home = urlsplit(given), urlsplit(target or "")
    is_elsewhere = parts.netloc and (parts.scheme, parts.netloc) != (home.scheme, home.netloc)
    if is_elsewhere or not parts.path.startswith("/"):
        raise CannotRun("is no path of the application", option, "write it from / on")
    return path_of(given)
