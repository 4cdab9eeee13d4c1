"""Who is at the other end, and over what: believed from the peer, or from proxies named as ours."""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import NamedTuple

from coatcheck.errors import ConfigurationError

Network = IPv4Network | IPv6Network


class Peer(NamedTuple):
    """The client of a request.

    Attributes:
        address: as text, `None` when nobody knows.
        secure: whether the request came over TLS as far as the first proxy of ours.
        is_local: over plain HTTP, whether it comes from this machine, and not through a proxy
            nobody named.
    """

    address: str | None
    secure: bool
    is_local: bool


# What a proxy adds to a request that it passes on.
_TRACES = (b"x-forwarded-", b"forwarded", b"x-real-ip", b"via")


# Nobody's proxies are so many; a shorter prefix is a mistake.
_LEAST = {4: 8, 6: 7}


class Proxies:
    """The proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed; nobody else's are.

    Raises:
        ConfigurationError: an entry is no address or network, or is everybody.
    """

    def __init__(self, trusted: Sequence[str] = ()) -> None:
        self._trusted: list[Network] = []
        if isinstance(trusted, str):
            raise ConfigurationError("trusted_proxies", f"write a list: [{trusted!r}]")
        for entry in trusted:
            try:
                network = ip_network(entry)
            except ValueError as error:
                raise ConfigurationError("trusted_proxies", str(error)) from error
            if network.prefixlen < _LEAST[network.version]:
                raise ConfigurationError("trusted_proxies", f"{entry} would trust half the world")
            self._trusted.append(network)
        self._is_ours = lru_cache(maxsize=1024)(self._is_one_of_ours)  # few proxies, many requests

    def resolve(self, peer: str | None, scheme: str, said: Mapping[bytes, bytes]) -> Peer:
        """Return the client; proxies append, so the list is read from its end.

        Args:
            said: the request's headers by name.
        """
        secure = scheme in ("https", "wss")
        if not self._trusts(peer):
            return Peer(peer, secure, not secure and _is_loopback(peer) and _is_direct(said))
        address = peer
        for hop in reversed(_items(said.get(b"x-forwarded-for"))):
            # No address is longer; a zone means something on its own machine only, and may be any
            # text.
            address = None if len(hop) > 64 or "%" in hop else _canonical(hop)
            if address is None or not self._trusts(address):
                break
        protocols = _items(said.get(b"x-forwarded-proto"))
        if protocols:
            secure = protocols[-1].lower() in ("https", "wss")
        return Peer(address, secure, not secure and _is_loopback(address))

    def _trusts(self, address: str | None) -> bool:
        return bool(self._trusted) and address is not None and self._is_ours(address)

    def _is_one_of_ours(self, address: str) -> bool:
        parsed = _parse(address)
        return parsed is not None and any(parsed in network for network in self._trusted)


def _is_direct(names: Iterable[bytes]) -> bool:
    return not any(name.startswith(_TRACES) for name in names)


def _items(header: bytes | None) -> list[str]:
    """Return the items of a header that is a list."""
    if not header:
        return []
    return [item for each in header.decode("latin-1").split(",") if (item := each.strip())]


@lru_cache(maxsize=1024)
def _canonical(hop: str) -> str | None:
    """Return an address in its usual spelling, `None` for what is none; a port is left out."""
    address = hop
    if hop.startswith("["):
        address = hop[1:].partition("]")[0]
    elif hop.count(":") == 1:
        address = hop.partition(":")[0]
    parsed = _parse(address)
    return None if parsed is None else str(parsed)


def _parse(address: str) -> IPv4Address | IPv6Address | None:
    """Return an address; one of IPv4 that came in IPv6 clothes as what it is."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return None
    return (parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None) or parsed


@lru_cache(maxsize=1024)
def _is_loopback(address: str | None) -> bool:
    parsed = _parse(address) if address is not None else None
    return parsed is not None and parsed.is_loopback
