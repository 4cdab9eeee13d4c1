"""Who is at the other end, and over what: believed from the peer, or from proxies named as ours."""

from collections.abc import Iterable, Sequence
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
        is_local: whether it comes from this machine, and not through a proxy nobody named.
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

    def resolve(
        self, peer: str | None, scheme: str, headers: Iterable[tuple[bytes, bytes]]
    ) -> Peer:
        """Return the client; proxies append, so the list is read from its end."""
        secure = scheme in ("https", "wss")
        forwarded = {b"x-forwarded-for": list[bytes](), b"x-forwarded-proto": list[bytes]()}
        is_direct = True
        for name, value in headers:
            if name in forwarded:
                forwarded[name].append(value)
            is_direct = is_direct and not name.startswith(_TRACES)
        if not self._trusts(peer):
            return Peer(peer, secure, is_direct and _is_loopback(peer))
        address = peer
        for hop in reversed(_items(forwarded[b"x-forwarded-for"])):
            if (address := _canonical(hop)) is None or not self._trusts(address):
                break
        protocols = _items(forwarded[b"x-forwarded-proto"])
        if protocols:
            secure = protocols[-1].lower() in ("https", "wss")
        return Peer(address, secure, _is_loopback(address))

    def _trusts(self, address: str | None) -> bool:
        if not self._trusted or address is None:
            return False
        parsed = _parse(address)
        return parsed is not None and any(parsed in network for network in self._trusted)


def _items(values: list[bytes]) -> list[str]:
    text = ",".join(value.decode("latin-1") for value in values)
    return [item.strip() for item in text.split(",") if item.strip()]


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


def _is_loopback(address: str | None) -> bool:
    parsed = _parse(address) if address is not None else None
    return parsed is not None and parsed.is_loopback
