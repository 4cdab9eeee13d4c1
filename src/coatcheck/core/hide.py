"""Keep data out of pages of errors that show local variables, such as Django's and Sentry's."""

from collections.abc import Generator
from contextlib import contextmanager, suppress
from inspect import CO_ASYNC_GENERATOR, CO_COROUTINE, CO_GENERATOR
from types import TracebackType

_PACKAGES = ("coatcheck", "redis")  # ours, and a driver's that we hand data
_PAUSABLE = CO_COROUTINE | CO_GENERATOR | CO_ASYNC_GENERATOR


@contextmanager
def hidden() -> Generator[None]:
    """Have an error that passes forget the local variables of the library, which hold data.

    The application's own, as of a function given to `Session.edit`, stay as they are.
    """
    try:
        yield
    except Exception as error:
        hide(error)
        raise


def hide(error: BaseException, *, pausable: bool = False) -> None:
    """Clear the frames of the library that an error came through, and those of its causes.

    Args:
        pausable: those of coroutines too, where none can be waiting: clearing would end one that
            caught the error, or another that shares it, and went on.
    """
    each: BaseException | None = error
    seen = set[int]()
    while each is not None and id(each) not in seen:
        seen.add(id(each))
        _clear(each.__traceback__, pausable)
        each = each.__cause__ or each.__context__


def _clear(trace: TracebackType | None, pausable: bool) -> None:
    while trace is not None:
        frame = trace.tb_frame
        package = frame.f_globals.get("__name__", "").partition(".")[0]
        if package in _PACKAGES and (pausable or not frame.f_code.co_flags & _PAUSABLE):
            with suppress(RuntimeError):  # it still runs
                frame.clear()
        trace = trace.tb_next
