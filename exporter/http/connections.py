"""The connections of a server: bounded in number, and in the time that a client may take."""

import asyncio
import socket
import ssl
from collections.abc import Callable

import structlog
from aiohttp import web

from exporter.runtime.limits import file_limit
from exporter.runtime.log_limiter import LogLimiter

log = structlog.get_logger(__name__)

MOST_CONNECTIONS = 512
HEAD_SECONDS = 10.0
"""For a TLS handshake, and from the connection or the first byte of a later request to the end of its head."""
ANSWER_SECONDS = 60.0
"""For a client that does not read what it asked for."""
HALF_CLOSED_TURNS = 20
"""Of the event loop: a request that came just before the end of its client's side has reached its handler by then."""
ACCEPT_RETRY_SECONDS = 0.1
# For the databases, logs, token files and outgoing connections of the process.
_RESERVED_FILES = 128
_FEWEST_CONNECTIONS = 8

MakeContext = Callable[[], ssl.SSLContext | None]


class Connection(asyncio.Protocol):
    """Stands between a transport and aiohttp's protocol, and adds the deadlines that aiohttp does not have."""

    def __init__(self, protocol: web.RequestHandler, lost: Callable[["Connection"], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._lost = lost
        self._transport: asyncio.Transport | None = None
        self._head_timer: asyncio.TimerHandle | None = None
        self._answer_timer: asyncio.TimerHandle | None = None
        self.protocol = protocol
        self.request: web.Request | None = None
        """What its handler is working on."""
        self.half_closed = False
        self.idle_since = self._loop.time()

    def begin(self, request: web.Request) -> None:
        """The head of `request` is complete, and its handler starts."""
        self.request = request
        self._head_timer = _cancel(self._head_timer)

    def end(self) -> None:
        """The handler has returned; the answer may still be on its way."""
        self.request = None
        self.idle_since = self._loop.time()

    def abort(self) -> None:
        """Drops the connection, with whatever is unsent."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._await_head()
        self.protocol.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if self.request is None and self._head_timer is None:
            self._await_head()
        self.protocol.data_received(data)

    def eof_received(self) -> bool:
        """A client that has finished sending still gets its answer; over TLS asyncio closes."""
        assert self._transport is not None
        self.half_closed = True
        if self._transport.get_extra_info("sslcontext") is not None:
            return False
        self._close_unless_serving(HALF_CLOSED_TURNS)
        return True

    def pause_writing(self) -> None:
        self._answer_timer = self._loop.call_later(ANSWER_SECONDS, self.abort)
        self.protocol.pause_writing()

    def resume_writing(self) -> None:
        self._answer_timer = _cancel(self._answer_timer)
        self.protocol.resume_writing()

    def connection_lost(self, error: Exception | None) -> None:
        self._head_timer = _cancel(self._head_timer)
        self._answer_timer = _cancel(self._answer_timer)
        self._lost(self)
        self.protocol.connection_lost(error)

    def _await_head(self) -> None:
        self._head_timer = self._loop.call_later(HEAD_SECONDS, self.abort)

    def _close_unless_serving(self, turns: int) -> None:
        if turns:
            self._loop.call_soon(self._close_unless_serving, turns - 1)
            return
        # The rest of a body that is not complete will not come.
        if self._transport is not None and (self.request is None or not self.request.content.is_eof()):
            self._transport.close()


class Connections:
    """Accepts connections. Beyond `most`, the one that has been idle for longest makes room for a new one."""

    def __init__(self, make_protocol: Callable[[], web.RequestHandler], most: int) -> None:
        self._make_protocol = make_protocol
        self._most = most
        self._open: dict[web.RequestHandler, Connection] = {}
        self._handshakes: dict[Connection, asyncio.Task[None]] = {}
        self._refusals = LogLimiter(log)

    async def accept(self, listener: socket.socket, make_context: MakeContext) -> None:
        """Serves whoever connects to `listener`, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                client, _ = await loop.sock_accept(listener)
            except OSError as error:
                self._refusals.warning("a connection could not be accepted", error=error.strerror)
                self._make_room()
                await asyncio.sleep(ACCEPT_RETRY_SECONDS)
                continue
            if len(self._open) < self._most or self._make_room():
                self._try_to_establish(client, make_context)
            else:
                self._refusals.warning("a connection was refused: all are in use", most=self._most)
                client.close()
            # sock_accept() does not let others run while connections are waiting.
            await asyncio.sleep(0)

    def of(self, request: web.Request) -> Connection | None:
        """The connection of `request`; None where it is gone already."""
        return self._open.get(request.protocol)

    async def prepare(self, request: web.Request, response: web.StreamResponse) -> None:
        """Ends a connection whose client will send nothing more with this `response`."""
        connection = self.of(request)
        if connection is not None and connection.half_closed:
            response.force_close()

    async def close(self) -> None:
        """Drops all that are open."""
        handshakes = list(self._handshakes.values())
        for connection in list(self._open.values()):
            self._drop(connection)
        await asyncio.gather(*handshakes, return_exceptions=True)

    def _try_to_establish(self, client: socket.socket, make_context: MakeContext) -> None:
        try:
            self._establish(client, make_context())
        except Exception:
            # It costs this connection, not all that come after it.
            log.exception("a connection was not established: a bug")
            client.close()

    def _establish(self, client: socket.socket, context: ssl.SSLContext | None) -> None:
        connection = Connection(self._make_protocol(), self._forget)
        self._open[connection.protocol] = connection
        handshake = asyncio.create_task(self._handshake(connection, client, context))
        self._handshakes[connection] = handshake
        handshake.add_done_callback(lambda _: self._handshakes.pop(connection))

    async def _handshake(
        self, connection: Connection, client: socket.socket, context: ssl.SSLContext | None
    ) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: connection,
                client,
                ssl=context,
                ssl_handshake_timeout=HEAD_SECONDS if context else None,
            )
        except OSError as error:
            log.debug("a connection was not established", error=str(error))
            self._forget(connection)

    def _make_room(self) -> bool:
        """Drops the connection that has been idle for longest; False where none is idle."""
        idle = [each for each in self._open.values() if each.request is None]
        if idle:
            self._drop(min(idle, key=lambda each: each.idle_since))
        return bool(idle)

    def _drop(self, connection: Connection) -> None:
        self._forget(connection)
        if handshake := self._handshakes.get(connection):
            handshake.cancel()
        connection.abort()

    def _forget(self, connection: Connection) -> None:
        self._open.pop(connection.protocol, None)


def most_connections() -> int:
    """As many as the limit of open files leaves room for, up to MOST_CONNECTIONS."""
    return min(MOST_CONNECTIONS, max(_FEWEST_CONNECTIONS, file_limit() - _RESERVED_FILES))


def _cancel(timer: asyncio.TimerHandle | None) -> asyncio.TimerHandle | None:
    """None, to be put in the timer's place."""
    if timer is not None:
        timer.cancel()
    return None
