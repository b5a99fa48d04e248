"""A JSON document from an address of the configuration: bounded in size, depth and time."""

import asyncio
import errno
import json
import os
import socket
import ssl
from collections.abc import Collection, Mapping
from typing import Any, NoReturn

import aiohttp

MAX_BYTES = 8 << 20
"""What the bridge itself keeps to."""
UNIX = "unix:"
"""Begins the address of a UNIX socket: unix:/run/bot.sock:/state."""
_SPOKEN_WITHOUT_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST")
_LARGE = 1 << 18
"""Parsed in a thread from here on."""


class FetchError(Exception):
    """The document could not be fetched. The message is for the user, and the same for the same fault.

    `sent` is whether the other side may have got the request.
    """

    def __init__(self, message: str, status: int = 0, *, sent: bool = True) -> None:
        super().__init__(message)
        self.status = status
        self.sent = sent


async def fetch_json(
    url: str,
    seconds: float,
    headers: Mapping[str, str] | None = None,
    limit: int = MAX_BYTES,
    *,
    query: Mapping[str, str] | None = None,
    posted: Any = None,
    accepted: Collection[int] = (200,),
    tls: ssl.SSLContext | None = None,
) -> Any:
    """The document at `url`: no redirects, no proxies, no compression, at most `limit` bytes.

    With `posted`: what is answered to that document. `accepted` are the statuses whose document is wanted. No message
    shows `headers`, `query` or `posted`. `tls` says whom to trust, instead of the system's authorities.
    """
    headers = {"Accept": "application/json", "Accept-Encoding": "identity", **(headers or {})}
    request = {
        "headers": headers,
        "params": query,
        "json": posted,
        "allow_redirects": False,
        "ssl": tls or True,
    }
    try:
        async with asyncio.timeout(seconds):
            body = await _body(url, "GET" if posted is None else "POST", request, limit, accepted)
            if len(body) > _LARGE:
                return await asyncio.to_thread(_parsed, body, url)
    except (TimeoutError, aiohttp.ServerTimeoutError):
        raise FetchError(f"{url} did not answer in time") from None
    except aiohttp.ClientConnectorCertificateError:
        raise FetchError(f"{url} has a certificate that is not trusted", sent=False) from None
    except aiohttp.ClientConnectorError as error:
        raise FetchError(f"cannot connect to {url}: {_reason(error.os_error)}", sent=False) from None
    except aiohttp.ClientResponseError:
        raise FetchError(f"{url} answers with something other than HTTP{_maybe_tls(url)}") from None
    except (aiohttp.ClientError, OSError, ValueError):
        raise FetchError(f"{url} broke its answer off{_maybe_tls(url)}") from None
    return _parsed(body, url)


async def _body(
    url: str, method: str, request: Mapping[str, Any], limit: int, accepted: Collection[int]
) -> bytes:
    connector, address = _route(url)
    session = aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
    )
    async with session, session.request(method, address, **request) as response:
        _check(response, url, limit, accepted)
        body = bytearray()
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) > limit:
                raise _too_large(url, limit)
        return bytes(body)


def _route(url: str) -> tuple[aiohttp.BaseConnector, str]:
    """How to connect, and what to ask for there."""
    # Nothing is kept from one document to the next, such as a half-dead connection of a bot that restarted.
    if not url.startswith(UNIX):
        # A TLS connection that is not kept would wait for the other side's goodbye; the session drops it.
        return aiohttp.TCPConnector(force_close=not url.startswith("https:"), limit=1), url
    path, _, target = url.removeprefix(UNIX).rpartition(":")
    return aiohttp.UnixConnector(path, force_close=True, limit=1), f"http://localhost{target}"


def _check(response: aiohttp.ClientResponse, url: str, limit: int, accepted: Collection[int]) -> None:
    status = response.status
    if 300 <= status < 400:
        message = f"{url} redirects elsewhere, which is not followed; configure the final address"
        raise FetchError(message, status)
    if status not in accepted:
        raise FetchError(f"{url} answers with status {status}", status)
    if response.content_type != "application/json":
        raise FetchError(f"{url} does not answer with JSON")
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise FetchError(f"{url} compresses its answer, which was not asked for")
    if (response.content_length or 0) > limit:
        raise _too_large(url, limit)


def _too_large(url: str, limit: int) -> FetchError:
    return FetchError(f"{url} answers with more than {limit >> 20} MiB")


def _maybe_tls(url: str) -> str:
    """A server that speaks TLS answers plain HTTP by hanging up, or with a message of TLS."""
    return "; if it speaks TLS, write https:// for http://" if url.startswith("http:") else ""


def _reason(error: OSError) -> str:
    if isinstance(error, socket.gaierror):
        return "the host name is not known; check its spelling"
    if isinstance(error, ssl.SSLError):
        plain = error.reason in _SPOKEN_WITHOUT_TLS
        return "it does not speak TLS; write http:// for https://" if plain else "no TLS connection"
    # The text of several attempts in one error differs with their order.
    if error.errno in errno.errorcode:
        return os.strerror(error.errno or 0).lower()
    return "no connection"


def _parsed(body: bytes, url: str) -> Any:
    try:
        return json.loads(body, parse_constant=_no_json)
    except RecursionError:
        raise FetchError(f"{url} answers with JSON that is nested too deeply") from None
    except ValueError:
        raise FetchError(f"{url} answers with something that is not JSON") from None


def _no_json(name: str) -> NoReturn:
    raise ValueError(name)
