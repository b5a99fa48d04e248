"""Which names a client may call the server by.

A web page can lead its browser to a loopback address under a name of its own (DNS rebinding), and read what is there.
"""

import ipaddress
from collections.abc import Collection

from aiohttp import web


def is_known_host(request: web.Request, names: Collection[str]) -> bool:
    """Whether the request's Host is an address, localhost or one of `names`.

    Without `names` any will do, except on a loopback address, which no other machine can have a name for.
    """
    host = _without_port(request.headers.get("Host", ""))
    if not names and not _is_on_loopback(request):
        return True
    # Only programs send none.
    return not host or _is_address(host) or host == "localhost" or host in names


def _without_port(host: str) -> str:
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    return name.strip("[]").removesuffix(".").lower()


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_on_loopback(request: web.Request) -> bool:
    own = request.get_extra_info("sockname")
    if own is None:
        return False
    address = ipaddress.ip_address(own[0].partition("%")[0])
    # A socket for all interfaces shows 127.0.0.1 as an IPv6 address.
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback
