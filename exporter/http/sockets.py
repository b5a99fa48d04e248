"""Listening sockets for the addresses of the configuration."""

import errno
import os
import socket
from collections.abc import Sequence

from exporter.config import Address, Web, parse_address

# Of unacknowledged data: a client that stops reading holds its page no longer.
CLIENT_TIMEOUT_SECONDS = 60
_FIRST_FD = 3
"""Where systemd's sockets begin."""


class ListenError(Exception):
    """An address cannot be listened on. The message names the address and what to do."""


def open_sockets(addresses: Sequence[str], flag: str = "--web.listen-address") -> list[socket.socket]:
    """Sockets that listen on all of `addresses`; ListenError, and none left open, if one of them fails.

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


def listening_sockets(
    web: Web, addresses: Sequence[str], flag: str = "--web.listen-address"
) -> list[socket.socket]:
    """Those that systemd has handed over, where the configuration says so; else `open_sockets`."""
    return systemd_sockets() if web.systemd_socket else open_sockets(addresses, flag)


def systemd_sockets() -> list[socket.socket]:
    """The listening sockets that systemd has handed over (sd_listen_fds(3)); ListenError if there are none."""
    environment = {name: os.environ.pop(name, "") for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")}
    if environment["LISTEN_PID"] != str(os.getpid()) or not environment["LISTEN_FDS"].isdigit():
        raise ListenError(
            "systemd has handed over no socket; start it by its .socket unit, or leave --web.systemd-socket out"
        )
    try:
        sockets = [
            socket.socket(fileno=_FIRST_FD + number) for number in range(int(environment["LISTEN_FDS"]))
        ]
    except OSError as error:
        reason = (error.strerror or "an error").lower()
        raise ListenError(
            f"what systemd has handed over is no socket ({reason}); check its .socket unit"
        ) from None
    for each in sockets:
        each.set_inheritable(False)
        each.setblocking(False)
        if each.type != socket.SOCK_STREAM or each.family not in (socket.AF_INET, socket.AF_INET6):
            raise ListenError(
                "systemd has handed over a socket that is not TCP; use ListenStream=ADDRESS:PORT"
            )
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
