"""The address of a client, from its text."""

from ipaddress import IPv4Address, IPv6Address, ip_address


def parse(text: str | None) -> IPv4Address | IPv6Address | None:
    """Return the address, `None` for what is none.

    One of IPv4 that is dressed as IPv6 is one of IPv4. A zone is left out: it means something on
    its own machine only.
    """
    try:
        address = ip_address((text or "").partition("%")[0])
    except ValueError:
        return None
    return (address.ipv4_mapped if isinstance(address, IPv6Address) else None) or address
