"""POST /actions: authentication, then the action."""

from __future__ import annotations

import hmac
from pathlib import Path

from aiohttp import web

from exporter.demo.actions import ActionExecutor
from exporter.demo.errors import DemoError
from exporter.demo.requests import RejectedError, parse_request


def read_token(path: Path) -> bytes:
    """Raises DemoError if the file cannot be read or is empty."""
    try:
        token = path.read_bytes().strip()
    except OSError as error:
        raise DemoError(f"cannot read the actions' token from {path}: {error.strerror}") from error
    if not token:
        raise DemoError(f"{path} holds no token: put one in it")
    return token


class ActionsEndpoint:
    def __init__(self, token: bytes, executor: ActionExecutor) -> None:
        self._authorization = b"Bearer " + token
        self._executor = executor

    async def post(self, request: web.Request) -> web.Response:
        self._check_headers(request)
        try:
            action = parse_request(await request.read())
            result = await self._executor.execute(action)
        except RejectedError as error:
            seconds = error.retry_after_seconds
            headers = {} if seconds is None else {"Retry-After": str(seconds)}
            document = {"version": 1, "error": str(error)}
            return web.json_response(document, status=error.status, headers=headers)
        return web.json_response(result.document(action.id))

    def _check_headers(self, request: web.Request) -> None:
        authorization = request.headers.get("Authorization", "").encode(errors="surrogateescape")
        if not hmac.compare_digest(authorization, self._authorization):
            raise web.HTTPUnauthorized(headers={"WWW-Authenticate": "Bearer"})
        if request.content_type != "application/json" or "Content-Encoding" in request.headers:
            raise web.HTTPUnsupportedMediaType(text="the request must be application/json, not compressed")
