"""What is said when a framework or a library is not installed that a part of coatcheck is for."""

from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def extra(name: str, *packages: str) -> Generator[None]:
    """Import it in here; say how to install it where it is missing.

    Args:
        name: of coatcheck's extra.
        packages: what it gives, if that is not one of its name.

    Raises:
        ImportError: it is missing, by itself rather than in parts.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name not in (packages or (name,)):
            raise
        problem = f"{error.name} is not installed: pip install 'coatcheck[{name}]'"
        raise ImportError(problem, name=error.name) from error
