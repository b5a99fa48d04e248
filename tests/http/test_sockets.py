"""Listen addresses: how they are written, and real sockets on them."""

import errno
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.config import Address, parse_address
from exporter.http import sockets as listen
from exporter.http.sockets import ListenError, bound_address, open_sockets


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        (":9464", "", 9464),
        (":0", "", 0),
        ("127.0.0.1:1", "127.0.0.1", 1),
        ("localhost:65535", "localhost", 65535),
        ("a-b.example_1.org:80", "a-b.example_1.org", 80),
        ("[::1]:9464", "::1", 9464),
        ("[0:0::1]:9464", "::1", 9464),
        ("[fe80::1%eth0]:9464", "fe80::1%eth0", 9464),
    ],
)
def test_an_address_is_read(text: str, host: str, port: int) -> None:
    assert parse_address(text) == Address(host, port)


@pytest.mark.parametrize(
    ("text", "mend"),
    [
        ("9464", ":9464"),
        ("", ":9464"),
        (":", ":9464"),
        (":65536", "up to 65535"),
        (":-1", "up to 65535"),
        (": 9464", "up to 65535"),
        (":٣", "up to 65535"),
        ("localhost", ":PORT"),
        ("::1:9464", "brackets"),
        ("http://localhost:9464", "without scheme"),
        ("localhost/x:9464", "without scheme"),
        ("*:9464", "write :PORT"),
        ("-x:9464", "write :PORT"),
        ("[localhost]:9464", "[::1]:9464"),
        ("[::1:9464", "brackets"),
    ],
)
def test_what_is_no_address_is_refused_with_the_mend(text: str, mend: str) -> None:
    with pytest.raises(ValueError, match=r"^(must|has)") as caught:
        parse_address(text)
    assert mend in str(caught.value)


@given(st.text(max_size=30) | st.from_regex(r"(\[[0-9a-f:.]*\]|[a-z0-9.-]*):[0-9]{0,6}", fullmatch=True))
def test_any_text_is_an_address_that_reads_back_or_a_refusal(text: str) -> None:
    try:
        address = parse_address(text)
    except ValueError:
        return
    assert parse_address(str(address)) == address
    assert 0 <= address.port <= 65535


def connects(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=5).close()
    except OSError:
        return False
    return True


def test_a_port_alone_is_all_interfaces_of_both_kinds() -> None:
    (listener,) = open_sockets([":0"])
    with listener:
        address = bound_address(listener)
        assert address.host == ""
        assert connects("127.0.0.1", address.port)
        if listener.family == socket.AF_INET6:
            assert connects("::1", address.port)


def test_without_ipv6_a_port_alone_is_all_of_ipv4(monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.socket

    def without_ipv6(family: int, kind: int) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")
        return real(family, kind)

    monkeypatch.setattr(socket, "socket", without_ipv6)
    (listener,) = open_sockets([":0"])
    monkeypatch.undo()
    with listener:
        assert listener.family == socket.AF_INET
        assert connects("127.0.0.1", bound_address(listener).port)


def test_a_host_is_listened_on_at_all_of_its_addresses_with_one_port(monkeypatch: pytest.MonkeyPatch) -> None:
    def two_addresses(*_: object, **__: object) -> list[tuple[object, ...]]:
        found = [(socket.AF_INET, ("127.0.0.1", 0)), (socket.AF_INET, ("127.0.0.2", 0))]
        # One that this machine does not have, as ::1 of localhost often is.
        found.append((socket.AF_INET, ("192.0.2.1", 0)))
        return [(family, socket.SOCK_STREAM, 6, "", where) for family, where in found]

    monkeypatch.setattr(socket, "getaddrinfo", two_addresses)
    sockets = open_sockets(["bot:0"])
    monkeypatch.undo()
    try:
        (port,) = {bound_address(each).port for each in sockets}
        assert [bound_address(each).host for each in sockets] == ["127.0.0.1", "127.0.0.2"]
        assert connects("127.0.0.1", port)
        assert connects("127.0.0.2", port)
    finally:
        for each in sockets:
            each.close()


def test_an_address_in_use_is_named_with_the_mend_and_nothing_stays_open() -> None:
    (taken,) = open_sockets(["127.0.0.1:0"])
    with taken:
        port = bound_address(taken).port
        with pytest.raises(
            ListenError, match=f"^cannot listen on 127.0.0.1:{port}: something else"
        ) as caught:
            open_sockets(["127.0.0.2:" + str(port), f"127.0.0.1:{port}"])
        assert "--web.listen-address" in str(caught.value)
        assert not connects("127.0.0.2", port)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("192.0.2.1:9464", "does not have that address"),
        ("no-such-host.invalid:9464", "host name is not known"),
    ],
)
def test_an_address_that_is_not_to_be_had_is_named_with_the_mend(text: str, told: str) -> None:
    with pytest.raises(ListenError, match=f"^cannot listen on {text}: .*{told}"):
        open_sockets([text])


def test_a_port_that_is_not_permitted_is_named_with_the_mend(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> socket.socket:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(listen, "_listener", refused)
    with pytest.raises(ListenError, match=r"^cannot listen on :80: not permitted; choose a port from 1024"):
        open_sockets([":80"])


HANDED_OVER = """
import os, sys
os.dup2({fd}, 3)
os.environ["LISTEN_PID"] = {pid}
os.environ["LISTEN_FDS"] = "{number}"
from exporter.http.sockets import ListenError, bound_address, systemd_sockets
try:
    print(*map(bound_address, systemd_sockets()))
except ListenError as error:
    sys.exit(str(error))
assert not any(name.startswith("LISTEN_") for name in os.environ)
"""


def handed_over(listener: socket.socket | BinaryIO, pid: str = "str(os.getpid())", number: str = "1") -> str:
    """What a process with this socket, as systemd hands one over, prints."""
    code = HANDED_OVER.format(fd=listener.fileno(), pid=pid, number=number)
    done = subprocess.run(
        [sys.executable, "-c", code],
        pass_fds=[listener.fileno()],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done.stdout or done.stderr


def test_a_socket_of_systemd() -> None:
    (listener,) = open_sockets(["127.0.0.1:0"])
    with listener:
        assert handed_over(listener).strip() == str(bound_address(listener))
        assert "no socket; start it by its .socket unit" in handed_over(listener, pid='"1"')
        assert "no socket; start it by its .socket unit" in handed_over(listener, number="")
    with socket.socket(socket.AF_UNIX) as other:
        assert "a socket that is not TCP" in handed_over(other)
        assert "is no socket" in handed_over(other, number="900")
    with Path(os.devnull).open("rb") as file:
        assert "is no socket (socket operation on non-socket)" in handed_over(file)
