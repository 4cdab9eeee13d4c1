"""Tell this machine from others."""

from ipaddress import ip_address

LOCALHOST = "127.0.0.1"


def is_local(host: str) -> bool:
    """Tell whether a host name or an address is this machine's own."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
