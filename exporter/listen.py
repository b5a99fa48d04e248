"""Addresses to listen on, as exporters write them: `:PORT`, `host:PORT`, `[::1]:PORT`."""

import errno
import ipaddress
import re
import socket
from collections.abc import Sequence
from typing import NamedTuple

# Of unacknowledged data: a client that stops reading holds its page no longer.
CLIENT_TIMEOUT_SECONDS = 60
_HOST_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,252})")


class ListenError(Exception):
    """An address cannot be listened on. The message names the address and the mend."""


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


def open_sockets(addresses: Sequence[str], flag: str = "--web.listen-address") -> list[socket.socket]:
    """Sockets that listen on all of `addresses`; ListenError, and none left open, if one is not to be had.

    `flag` is where the user changes an address.
    """
    sockets: list[socket.socket] = []
    try:
        for text in addresses:
            sockets += _open(parse_address(text), flag)
    except BaseException:
        for each in sockets:
            each.close()
        raise
    return sockets


def bound_address(listener: socket.socket) -> Address:
    """Where `listener` really listens; a host of all zeros is all interfaces."""
    host, port = listener.getsockname()[:2]
    return Address("" if host in ("::", "0.0.0.0") else host, port)  # noqa: S104 (compared, not bound)


def _open(address: Address, flag: str) -> list[socket.socket]:
    try:
        return [_open_all(address.port)] if not address.host else _open_host(address)
    except OSError as error:
        raise ListenError(f"cannot listen on {address}: {_reason(error, flag)}") from error


def _open_all(port: int) -> socket.socket:
    try:
        return _listener(socket.AF_INET6, ("::", port), both=True)
    except OSError as error:
        if error.errno not in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EPROTONOSUPPORT):
            raise
    # IPv6 is switched off on this machine.
    return _listener(socket.AF_INET, ("0.0.0.0", port))  # noqa: S104 (what :PORT asks for)


def _open_host(address: Address) -> list[socket.socket]:
    """One socket for each address of the host; those that this machine does not have are skipped."""
    found = socket.getaddrinfo(*address, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    opened: list[socket.socket] = []
    port, missing = address.port, OSError(errno.EADDRNOTAVAIL, "the host has no address")
    for family, host in dict.fromkeys((family, sockaddr[0]) for family, _, _, _, sockaddr in found):
        try:
            opened.append(_listener(family, (str(host), port)))
        except OSError as error:
            if error.errno not in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
                for each in opened:
                    each.close()
                raise
            missing = error
            continue
        # All of a host's addresses share the port that the system chose for the first.
        port = opened[0].getsockname()[1]
    if not opened:
        raise missing
    return opened


def _listener(family: int, where: tuple[str, int], both: bool = False) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if both else 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, CLIENT_TIMEOUT_SECONDS * 1000)
        listener.bind(where)
        listener.listen(128)
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return listener


def _reason(error: OSError, flag: str) -> str:
    if isinstance(error, socket.gaierror):
        return "the host name is not known; check its spelling"
    match error.errno:
        case errno.EADDRINUSE:
            return f"something else listens there; stop it, or choose another with {flag}"
        case errno.EACCES | errno.EPERM:
            return f"not permitted; choose a port from 1024 up with {flag}"
        case errno.EADDRNOTAVAIL:
            return f"this machine does not have that address; check {flag}, or use :PORT for all"
        case _:
            return f"{error.strerror or error}; choose another with {flag}"
