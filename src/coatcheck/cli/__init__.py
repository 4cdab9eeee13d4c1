"""The command `coatcheck`."""

import sys

from coatcheck.extras import extra


def main() -> None:
    """Run the command line; say what to install where that is missing."""
    try:
        with extra("cli", "typer", "rich"):
            from coatcheck.cli.commands import app  # noqa: PLC0415 - an extra
    except ImportError as error:
        sys.exit(_explained(error))
    app(prog_name="coatcheck")


def _explained(error: ImportError) -> int:
    sys.stderr.write(f"coatcheck: {error}\n")
    return 2
