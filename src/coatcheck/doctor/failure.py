"""Why doctor could not do its work."""


class CannotRun(Exception):
    """What went wrong, where, and what to do if that is not said yet. It never holds a secret."""

    def __init__(self, what: str, where: str, do: str | None = None) -> None:
        super().__init__(f"{where}: {what}; {do}" if do else f"{where}: {what}")
