"""Addresses to listen on, as exporters write them: `:PORT`, `host:PORT`, `[::1]:PORT`."""

import ipaddress
import re
from typing import NamedTuple

_HOST_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,252})")


class Address(NamedTuple):
    """`host` is empty for all interfaces; port 0 is one of the system's choice."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str) -> Address:
    """The address that `text` names; ValueError, without the text, if it names none."""
    host, colon, port = text.rpartition(":")
    if not colon or not re.fullmatch(r"[0-9]{1,5}", port) or int(port) > 65535:
        raise ValueError("must be :PORT, host:PORT or [IPv6]:PORT with a port up to 65535, such as :9464")
    if host.startswith("[") and host.endswith("]"):
        return Address(_ipv6(host[1:-1]), int(port))
    if ":" in host or "/" in host:
        raise ValueError("must be host:PORT without scheme; an IPv6 address stands in brackets: [::1]:9464")
    if host and not _HOST_NAME.fullmatch(host):
        raise ValueError("has a host that is no name or address; for all interfaces write :PORT")
    return Address(host, int(port))


def _ipv6(text: str) -> str:
    try:
        return str(ipaddress.IPv6Address(text))
    except ValueError:
        raise ValueError("has no IPv6 address in its brackets; write it as [::1]:9464") from None
