"""Every error coatcheck raises: one root, few children, each carrying its facts and no secret."""

from collections.abc import Mapping


class CoatcheckError(Exception):
    """Root of all errors raised by coatcheck."""


class ConfigurationError(CoatcheckError):
    """A setting cannot work; raised where it is given, so that the application does not start.

    Attributes:
        setting: the name of the setting, as the caller spells it.
        problem: what is wrong with it.
    """

    def __init__(self, setting: str, problem: str) -> None:
        super().__init__(f"{setting}: {problem}")
        self.setting, self.problem = setting, problem

    def about(self, setting: str) -> "ConfigurationError":
        """Return the same of a setting that was turned into this one."""
        return ConfigurationError(setting, self.problem)


class StoreUnavailable(CoatcheckError):
    """The store did not answer, or not in a way that tells what it holds.

    It says nothing about the session: nobody is logged out and no cookie is cleared because of it.
    """


class Superseded(CoatcheckError):
    """The session changed its privileges or moved on while this request ran; nothing was saved.

    An HTTP adapter answers 409; the client may simply repeat the request.
    """


class MergeRefused(Superseded):
    """Another request changed a key that is declared `Merge.REFUSE`; nothing was saved.

    Attributes:
        key: the top-level key both requests changed.
    """

    def __init__(self, key: str) -> None:
        super().__init__(f"session key {key!r} was changed by another request at the same time")
        self.key = key


class Unauthenticated(CoatcheckError):
    """The request needs somebody who is signed in, and nobody is. An HTTP adapter answers 401."""


class InvalidToken(Unauthenticated):
    """An access token is not to be believed. An HTTP adapter answers 401 (RFC 6750 3.1).

    Attributes:
        problem: why; nothing of the token is in it.
    """

    def __init__(self, problem: str) -> None:
        super().__init__(f"the access token is refused: {problem}")
        self.problem = problem


class StepUpRequired(Unauthenticated):
    """Who is signed in must prove more, or prove it again (RFC 9470). An adapter answers 401.

    Attributes:
        level: the least assurance that is needed.
        max_age: seconds that the authentication may be old; `None`: any.
    """

    def __init__(self, level: int, max_age: int | None) -> None:
        super().__init__("the user must be authenticated better, or more recently")
        self.level, self.max_age = level, max_age


class CSRFRefused(CoatcheckError):
    """A page of somebody else made the request, or nothing shows who did.

    An HTTP adapter answers 403.
    """


class SessionLimitReached(CoatcheckError):
    """The user has as many sessions as `Policy.max_sessions` allows; the sign-in was refused.

    Nothing else changed: the others go on, and so does what this browser had. An HTTP adapter
    answers 403, as trying again does not help (RFC 9110 15.5.4).

    Attributes:
        limit: how many there may be.
    """

    def __init__(self, limit: int) -> None:
        super().__init__(f"the user is signed in {limit} times, which is all that is allowed")
        self.limit = limit


class InsecureTransport(CoatcheckError):
    """A session was to be handed out over a connection that anybody on the way can read.

    Args:
        address: who asked, `None` for nobody knows.
        is_development: whether `development=True` is set, which did not help.
    """

    def __init__(self, address: str | None = None, *, is_development: bool = False) -> None:
        what = "no session is handed out over plain HTTP"
        do = "serve HTTPS, name the proxy that does in trusted_proxies"
        super().__init__(
            f"{what} to {address or 'an unknown address'}: development=True is for requests of "
            f"this machine that come straight from 127.0.0.1 or ::1; for a container, another "
            f"device or a proxy, {do}"
            if is_development
            else f"{what}: {do}, or set development=True for connections from this machine (in "
            "tests, give the client an https:// address)"
        )


class SessionTooLarge(CoatcheckError):
    """The encoded data of a session is over the limit; the stored session is unchanged.

    Attributes:
        size: bytes the data would take.
        limit: bytes allowed (`Policy.max_size`).
        sizes: bytes of each top-level key, largest first.
    """

    def __init__(self, size: int, limit: int, sizes: Mapping[str, int]) -> None:
        shown = ", ".join(f"{key!r} {taken}" for key, taken in list(sizes.items())[:5])
        super().__init__(
            f"session data takes {size} bytes, the limit is {limit} (bytes by key: {shown}); "
            "keep ids in the session and objects in the database"
        )
        self.size, self.limit, self.sizes = size, limit, sizes


class SecretInSession(CoatcheckError):
    """What looks like a secret was to be stored, which the policy refuses; nothing was saved.

    Attributes:
        found: what it looks like, by where it is; never the secret.
    """

    def __init__(self, found: Mapping[str, str]) -> None:
        shown = ", ".join(f"{path} holds what looks like {kind}" for path, kind in found.items())
        super().__init__(
            f"session key {shown}; keep it elsewhere, or name the key in Policy.secrets_allowed"
        )
        self.found = found


class TooManyKeys(CoatcheckError):
    """A session would have more top-level keys than allowed; the stored session is unchanged.

    Attributes:
        count: how many it would have.
        limit: how many are allowed (`Policy.max_keys`).
    """

    def __init__(self, count: int, limit: int) -> None:
        super().__init__(f"session data has {count} keys, the limit is {limit}")
        self.count, self.limit = count, limit


class TooManyMessages(CoatcheckError):
    """A session has as many messages waiting to be shown as allowed; this one is not kept.

    Attributes:
        limit: how many may wait (`Policy.max_messages`).
    """

    def __init__(self, limit: int) -> None:
        super().__init__(f"{limit} messages wait to be shown already; show them somewhere")
        self.limit = limit


class TooManyRequests(CoatcheckError):
    """This client did something too often. An HTTP adapter answers 429 with `Retry-After`.

    Attributes:
        retry_after: seconds until it may try again.
    """

    def __init__(self, problem: str, retry_after: int) -> None:
        super().__init__(f"{problem}; it may try again in {retry_after} s")
        self.retry_after = retry_after


class TooManySessions(TooManyRequests):
    """The client began as many sessions as it may for now; this one was not created."""


class TooManyBadTokens(TooManyRequests):
    """The client presented so many tokens that open nothing that one more is not answered."""


class BackupRefused(CoatcheckError):
    """A file of exported sessions cannot be read, gone on with, or put where it shall be.

    It says what is wrong, where, and what to do.
    """


class Undecodable(CoatcheckError):
    """What the store holds is not a session this version can read; it is left where it is."""
