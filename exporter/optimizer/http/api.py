"""What is under /api: Alertmanager's webhook, the ledger as JSON, and rollbacks. All of it needs the token.

A request is refused as early as possible: before its body is read if it has no token, is too large, or comes too
soon after too many others.
"""

import asyncio
import hmac
import math
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import get_args

import structlog
from aiohttp import web

from exporter.config import Optimizer
from exporter.http.rate_limiter import RateLimiter
from exporter.http.tokens import read_token
from exporter.optimizer.alerts.receiver import AlertReceiver
from exporter.optimizer.alerts.webhook import LARGEST_BODY, EnvelopeError, TooManyError, parse
from exporter.optimizer.ledger.errors import LedgerError
from exporter.optimizer.ledger.store import Ledger
from exporter.optimizer.metrics import Counts
from exporter.optimizer.model import State
from exporter.optimizer.reconcile.loop import ReconcileLoop
from exporter.optimizer.reconcile.rollback import NotFoundError, RefusedError
from exporter.optimizer.serialization import serialize
from exporter.runtime.files import UnreadableFileError
from exporter.runtime.log_limiter import LogLimiter

log = structlog.get_logger(__name__)

API_PATH = "/api/"
"""Under it, everything checks the token."""
OPTIMIZATIONS_PATH = f"{API_PATH}v1/optimizations"
SUSPEND_PATH = f"{API_PATH}v1/suspend"
RESUME_PATH = f"{API_PATH}v1/resume"
TOKEN_KEY = "optimizer.token_file"  # noqa: S105 (a key of the configuration)
MOST_LISTED = 1000
USUALLY_LISTED = 100
# Of alerts, or of KiB sent, whichever is more: an Alertmanager with hundreds of bottlenecks stays far below.
BURST = 2000
PER_SECOND = 50
BODY_SECONDS = 10.0

Handler = Callable[[web.Request], Awaitable[web.Response]]


class _RefusalError(Exception):
    """A request that is not served; the message is for who sent it."""

    def __init__(self, status: int, why: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(why)
        self.status = status
        self.headers = headers


class Api:
    """The handlers. `token_file` is read for each request, so a token can be changed at any time."""

    def __init__(
        self,
        config: Optimizer,
        token_file: Path,
        ledger: Ledger,
        receiver: AlertReceiver,
        loop: ReconcileLoop,
    ) -> None:
        self.counts = Counts()
        self._config = config
        self._token_file = token_file
        self._ledger = ledger
        self._receiver = receiver
        self._loop = loop
        self._limiter = RateLimiter(BURST, PER_SECOND)
        self._token_fault = ""
        self._refusals = LogLimiter(log)

    def routes(self) -> list[web.RouteDef]:
        """An optimization's id is a number, and nothing else gets near the ledger."""
        one = OPTIMIZATIONS_PATH + "/{id:[0-9]{1,18}}"
        return [
            web.post(f"{API_PATH}v1/alerts", self._alerts),
            web.get(OPTIMIZATIONS_PATH, self._guarded(self._listed)),
            web.get(one, self._guarded(self._one)),
            web.post(one + "/roll-back", self._guarded(self._roll_back)),
            web.post(SUSPEND_PATH, self._guarded(self._suspend)),
            web.post(RESUME_PATH, self._guarded(self._resume)),
        ]

    async def _alerts(self, request: web.Request) -> web.Response:
        status = 500
        try:
            response = await self._guarded(self._webhook)(request)
            status = response.status
            return response
        finally:
            self.counts.requests[status] += 1

    def _guarded(self, handler: Handler) -> Handler:
        async def guarded(request: web.Request) -> web.Response:
            try:
                self._check_token(request)
                return await handler(request)
            except _RefusalError as refusal:
                return _problem(str(refusal), refusal.status, refusal.headers)
            except LedgerError as error:
                self._loop.note(error)
                return _problem(str(error), 503)

        return guarded

    def _check_token(self, request: web.Request) -> None:
        try:
            expected = read_token(self._token_file, TOKEN_KEY).encode()
        except UnreadableFileError as error:
            self._note_token(str(error))
            raise _RefusalError(503, "the optimizer's token cannot be read; its log says why") from None
        self._note_token("")
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        shown = token.encode("utf-8", "surrogateescape")
        if scheme.lower() != "bearer" or not hmac.compare_digest(shown, expected):
            self._refusals.warning(
                "a request without the token was refused", peer=request.remote, path=request.path
            )
            why = "needs the token of optimizer.token_file, as `Authorization: Bearer …`"
            raise _RefusalError(401, why, {"WWW-Authenticate": "Bearer"})

    def _note_token(self, fault: str) -> None:
        if fault and fault != self._token_fault:
            log.error("nobody is let in", error=fault)
        self._token_fault = fault

    async def _webhook(self, request: web.Request) -> web.Response:
        _check_is_json(request)
        if wait := self._limiter.wait():
            seconds = {"Retry-After": str(math.ceil(wait))}
            raise _RefusalError(429, "more alerts than are accepted; try again later", seconds)
        body = await self._body(request)
        try:
            # In a thread: a large body takes a while.
            payload = await asyncio.to_thread(parse, body, self._config.bot)
        except EnvelopeError as error:
            raise _RefusalError(400, str(error)) from None
        except TooManyError as error:
            raise _RefusalError(413, str(error)) from None
        self._limiter.charge(payload.size)
        self.counts.alerts += payload.size
        self.counts.rejected.update(payload.rejected)
        counts = dict(await self._receiver.receive(payload.alerts))
        accepted = counts.pop("accepted", 0)
        self.counts.rejected.update(counts)
        if accepted:
            self._loop.wake()
        return web.json_response({"accepted": accepted, "rejected": {**payload.rejected, **counts}})

    async def _body(self, request: web.Request) -> bytes:
        # Charged before it comes: many slow ones at a time would fill the memory.
        length = LARGEST_BODY if request.content_length is None else request.content_length
        if length > LARGEST_BODY:
            raise _RefusalError(413, f"larger than {LARGEST_BODY >> 20} MiB")
        self._limiter.charge(1 + length / 1024)
        body = bytearray()
        try:
            async with asyncio.timeout(BODY_SECONDS):
                async for chunk in request.content.iter_any():
                    body += chunk
                    if len(body) > LARGEST_BODY:
                        raise _RefusalError(413, f"larger than {LARGEST_BODY >> 20} MiB")
        except TimeoutError:
            raise _RefusalError(408, f"did not come within {BODY_SECONDS:g} seconds") from None
        except (ConnectionError, web.RequestPayloadError):
            raise _RefusalError(400, "broke off") from None
        return bytes(body)

    async def _listed(self, request: web.Request) -> web.Response:
        state, limit = _parameters(request)
        entries = await self._ledger.optimizations(state, limit)
        return web.json_response({"optimizations": [serialize(entry) for entry in entries]})

    async def _one(self, request: web.Request) -> web.Response:
        entry = await self._ledger.optimization(int(request.match_info["id"]))
        if entry is None:
            raise _RefusalError(404, f"there is no optimization {int(request.match_info['id'])}")
        return web.json_response(serialize(entry))

    async def _roll_back(self, request: web.Request) -> web.Response:
        try:
            await self._loop.reconciler.roll_back(int(request.match_info["id"]))
        except NotFoundError as error:
            raise _RefusalError(404, str(error)) from None
        except RefusedError as error:
            raise _RefusalError(409, str(error)) from None
        self._loop.wake()
        response = await self._one(request)
        response.set_status(202)
        return response

    async def _suspend(self, _: web.Request) -> web.Response:
        await self._loop.reconciler.suspend("by hand")
        return web.json_response({"state": "suspended"})

    async def _resume(self, _: web.Request) -> web.Response:
        await self._loop.reconciler.resume()
        self._loop.wake()
        return web.json_response({"state": "resumed"})


def _problem(why: str, status: int, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.json_response({"error": why}, status=status, headers=headers)


def _check_is_json(request: web.Request) -> None:
    if request.content_type != "application/json" or "Content-Encoding" in request.headers:
        raise _RefusalError(415, "must be JSON (Content-Type: application/json), and not compressed")


def _parameters(request: web.Request) -> tuple[State | None, int]:
    """`state` and `limit` of the query."""
    states: dict[str, State] = {state: state for state in get_args(State)}
    state, limit = request.query.get("state"), request.query.get("limit", str(USUALLY_LISTED))
    if state is not None and state not in states:
        raise _RefusalError(400, f"state must be one of {', '.join(states)}")
    if not (limit.isascii() and limit.isdigit() and len(limit) <= 4 and 1 <= int(limit) <= MOST_LISTED):
        raise _RefusalError(400, f"limit must be a number from 1 to {MOST_LISTED}")
    return states[state] if state else None, int(limit)
