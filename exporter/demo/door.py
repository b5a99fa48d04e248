"""The way in: POST /actions for whoever shows the token, and for nobody else."""

from __future__ import annotations

import hmac
from pathlib import Path

from aiohttp import web

from exporter.demo.actions import Actions
from exporter.demo.errors import DemoError
from exporter.demo.requests import RejectedError, parse


def read_token(path: Path) -> bytes:
    try:
        token = path.read_bytes().strip()
    except OSError as error:
        raise DemoError(f"cannot read the actions' token from {path}: {error.strerror}") from error
    if not token:
        raise DemoError(f"{path} holds no token: put one in it")
    return token


class Door:
    def __init__(self, token: bytes, actions: Actions) -> None:
        self._key = b"Bearer " + token
        self._actions = actions

    async def post(self, request: web.Request) -> web.Response:
        self._let_in(request)
        try:
            asked = parse(await request.read())
            answer = await self._actions.answer(asked)
        except RejectedError as error:
            seconds = error.retry_after_seconds
            later = {} if seconds is None else {"Retry-After": str(seconds)}
            return web.json_response({"version": 1, "error": str(error)}, status=error.status, headers=later)
        return web.json_response(answer.document(asked.id))

    def _let_in(self, request: web.Request) -> None:
        shown = request.headers.get("Authorization", "").encode(errors="surrogateescape")
        if not hmac.compare_digest(shown, self._key):
            raise web.HTTPUnauthorized(headers={"WWW-Authenticate": "Bearer"})
        if request.content_type != "application/json" or "Content-Encoding" in request.headers:
            raise web.HTTPUnsupportedMediaType(text="the request must be application/json, not compressed")
