"""Who is let in: the web configuration's rate limit, certificates and passwords, and the names of the server."""

import math
import ssl
from collections.abc import Collection
from pathlib import Path
from typing import Self

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from exporter.config import Web
from exporter.http.basic_auth import BasicAuth, TooManyChecksError
from exporter.http.hosts import is_known_host
from exporter.http.tls import is_allowed
from exporter.http.web_config import CurrentWebConfig


class Access:
    """`web_config_file` is that of --web.config.file; ConfigError if it cannot be used.

    `hosts` are names by which clients may call the server. The routes under `own_token` check a token of their own, and
    no password is asked for them: a request has only one Authorization header.
    """

    def __init__(
        self, web_config_file: Path | None = None, hosts: Collection[str] = (), own_token: str | None = None
    ) -> None:
        self._web_config = CurrentWebConfig(web_config_file)
        self._hosts = hosts
        self._own_token = own_token
        self._basic_auth = BasicAuth()
        self.middleware = self._make_middleware()

    @classmethod
    def of(cls, config: Web, own_token: str | None = None) -> Self:
        """As the configuration says."""
        return cls(config.config_file, config.hosts, own_token)

    def context(self) -> ssl.SSLContext | None:
        """For a connection that begins now; None is HTTP without TLS."""
        return self._web_config.context()

    async def prepare(self, _: web.Request, response: web.StreamResponse) -> None:
        """Adds the headers of the web configuration."""
        response.headers.update(self._web_config.config().http_server_config.headers)

    def _make_middleware(self) -> Middleware:
        @web.middleware
        async def let_in(request: web.Request, handler: Handler) -> web.StreamResponse:
            return await self._refusal(request) or await handler(request)

        return let_in

    async def _refusal(self, request: web.Request) -> web.Response | None:
        if not self._web_config.admits():
            return _refused(429, "More requests than the rate limit of the web configuration allows.")
        if not self._has_allowed_certificate(request):
            return _refused(403, "The client's certificate has none of client_allowed_sans.")
        if not is_known_host(request, self._hosts):
            told = "This server is not known by that name: use its address, or allow the name with --web.allowed-host."
            return _refused(421, told)
        return await self._password_refusal(request)

    def _has_allowed_certificate(self, request: web.Request) -> bool:
        tls, peer = self._web_config.config().tls_server_config, request.get_extra_info("ssl_object")
        return tls is None or peer is None or is_allowed(peer, tls)

    async def _password_refusal(self, request: web.Request) -> web.Response | None:
        users = self._web_config.config().basic_auth_users
        if not users or self._checks_a_token(request):
            return None
        try:
            if await self._basic_auth.check(request.headers.get("Authorization", ""), users):
                return None
        except TooManyChecksError as error:
            seconds = {"Retry-After": str(math.ceil(error.seconds))}
            return _refused(429, "More passwords than are checked; try again later.", seconds)
        return _refused(401, "Unauthorized", {"WWW-Authenticate": 'Basic realm="tweetbot"'})

    def _checks_a_token(self, request: web.Request) -> bool:
        resource = request.match_info.route.resource
        return bool(self._own_token and resource and resource.canonical.startswith(self._own_token))


def _refused(status: int, why: str, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(status=status, text=f"{why}\n", headers=headers)
