"""Which machine an address names: the question behind every decision on credentials."""

import ipaddress

import httpx

__all__ = ["host_of", "is_loopback"]


def host_of(url: str | httpx.URL) -> str:
    """Return ``host[:port]`` of an address in lower case; the port only if it is unusual.

    Example:
        >>> host_of("https://API.voucherify.io:443/v1/orders")
        'api.voucherify.io'
    """
    return httpx.URL(url).netloc.decode("ascii")


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address is this machine itself."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
