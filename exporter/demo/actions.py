"""Executes actions on the simulated bot, with the answers of a real bot's bridge."""

from __future__ import annotations

import asyncio
import math
import time
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal, NamedTuple

from exporter.demo.agents import SimulatedAgent
from exporter.demo.control_tables import PAUSE, RESUME
from exporter.demo.errors import DemoError
from exporter.demo.requests import (
    AdjustAutonomy,
    Check,
    Command,
    Describe,
    ExecuteAdaptation,
    RejectedError,
    Request,
    Restore,
)
from exporter.demo.scenarios import ADAPTATIONS, DIRECTIONS, Adjustment
from exporter.demo.simulation import Simulation
from exporter.demo.transaction import Transaction

RESULTS_KEPT = 1000
ACTIONS_PER_MINUTE = 60
MINUTE_SECONDS = 60.0
LEASE_SECONDS = 24 * 3600.0


class Change(NamedTuple):
    """The change of one value of an agent."""

    agent: str
    path: str
    before: float
    after: float


class ActionResult(NamedTuple):
    status: Literal["done", "failed", "refused"]
    changes: tuple[Change, ...] = ()
    command: str = ""
    """The system command that was written, for pause and resume."""
    error: str = ""
    abilities: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """By the agent's id; "" is the bot."""

    def document(self, request_id: str) -> dict[str, object]:
        changes: list[tuple[object, ...]] = list(self.changes)
        if self.command:
            changes.append(("", "system_commands", None, self.command))
        names = ("agent", "path", "from", "to")
        document = {
            "version": 1,
            "id": request_id,
            "status": self.status,
            "changes": [dict(zip(names, change, strict=True)) for change in changes],
        }
        if self.abilities:
            document["abilities"] = [{"agent": agent, "actions": can} for agent, can in self.abilities]
        return document | ({"error": self.error} if self.error else {})


@dataclass
class ExecutedAction:
    request: Request
    result: ActionResult
    restored: bool = False


@dataclass
class ActionExecutor:
    """Executes each id once, one action at a time, and remembers the newest results."""

    simulation: Simulation
    commit: Callable[[Transaction], Awaitable[None]]
    bot_start: float
    _executed: OrderedDict[str, ExecutedAction] = field(default_factory=OrderedDict)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _owner: str = ""
    _owned_until: float = 0.0
    _start_times: deque[float] = field(default_factory=lambda: deque(maxlen=ACTIONS_PER_MINUTE))

    async def execute(self, request: Request) -> ActionResult:
        """Raises RejectedError if nothing was done and the id can be used again."""
        if earlier := self._executed.get(request.id):
            if request != earlier.request:
                raise RejectedError(400, "id: was another request's")
            return earlier.result
        if request.bot_start != self.bot_start:
            raise RejectedError(409, "botStart: this is another process")
        if isinstance(request, Describe):
            return self._describe()
        self._claim(request.owner)
        if isinstance(request, Check):
            return self._check(request.checks)
        self._check_capacity()
        async with self._lock:
            result = await self._dispatch(request)
            self._executed[request.id] = ExecutedAction(request, result)
            if len(self._executed) > RESULTS_KEPT:
                self._executed.popitem(last=False)
        return result

    def _claim(self, owner: str) -> None:
        """One optimizer at a time, until a day after its last request."""
        now = time.monotonic()
        if owner != self._owner and now < self._owned_until:
            raise RejectedError(409, "another optimizer acts on this bot")
        self._owner, self._owned_until = owner, now + LEASE_SECONDS

    def _describe(self) -> ActionResult:
        possible = ("execute_adaptation", "adjust_autonomy")
        agents = [(agent, possible) for agent in self.simulation.agents_by_id]
        return ActionResult("done", abilities=(("", ("pause",)), *agents))

    def _check(self, action: str) -> ActionResult:
        """The values that an earlier action changed and that are others by now."""
        earlier = self._executed.get(action)
        if earlier is None:
            return ActionResult("refused", error=f"no action {action} is known")
        values = [
            (change, self.simulation.agents_by_id[change.agent].value(change.path))
            for change in earlier.result.changes
        ]
        found = [
            Change(change.agent, change.path, change.after, value)
            for change, value in values
            if value != change.after
        ]
        return ActionResult("done", tuple(found))

    def _check_capacity(self) -> None:
        if self._lock.locked():
            raise RejectedError(429, "another action is running", 1)
        now = time.monotonic()
        wait = (
            self._start_times[0] + MINUTE_SECONDS - now
            if len(self._start_times) == ACTIONS_PER_MINUTE
            else 0.0
        )
        if wait > 0:
            raise RejectedError(429, f"no more than {ACTIONS_PER_MINUTE} actions a minute", math.ceil(wait))
        self._start_times.append(now)

    async def _dispatch(self, request: Request) -> ActionResult:
        match request:
            case ExecuteAdaptation():
                return self._change(request.agent, [ADAPTATIONS[name] for name in request.adaptations])
            case AdjustAutonomy():
                return self._change(request.agent, [DIRECTIONS[request.direction]])
            case Command():
                return await self._command(PAUSE if request.action == "pause" else RESUME)
            case Restore():
                return await self._restore(request.restores)
            case Check() | Describe():
                raise AssertionError("only looks")

    def _change(self, agent: str, adjustments: list[Adjustment]) -> ActionResult:
        target = self.simulation.agents_by_id.get(agent)
        if target is None:
            return ActionResult("refused", error="there is no such agent")
        changes = [self._adjust(target, adjustment) for adjustment in adjustments]
        return ActionResult("done", tuple(change for change in changes if change.after != change.before))

    def _adjust(self, agent: SimulatedAgent, adjustment: Adjustment) -> Change:
        before = agent.value(adjustment.path)
        after = adjustment.apply(before)
        self.simulation.set_value(agent, adjustment.path, after)
        return Change(agent.profile.id, adjustment.path, before, after)

    async def _command(self, name: str) -> ActionResult:
        at = self.simulation.clock.since_start(datetime.now(UTC))
        try:
            await self.commit(self.simulation.command(name, at))
        except DemoError as error:
            return ActionResult("failed", error=str(error))
        self.simulation.schedule_command(name, at)
        return ActionResult("done", command=name)

    async def _restore(self, action: str) -> ActionResult:
        earlier = self._executed.get(action)
        if earlier is None:
            return ActionResult("refused", error=f"no action {action} is known")
        result = earlier.result
        if isinstance(earlier.request, Restore) or result.command == RESUME:
            return ActionResult("refused", error="a restore or a resume cannot be restored")
        if earlier.restored or not (result.command or result.changes):
            return ActionResult("refused", error="there is nothing to restore")
        restored = await self._command(RESUME) if result.command else self._restore_values(result.changes)
        earlier.restored = restored.status == "done"
        return restored

    def _restore_values(self, changes: Sequence[Change]) -> ActionResult:
        """Restores, in reverse order, the values that have not been changed since."""
        restored, conflicts = [], []
        for agent, path, before, after in reversed(changes):
            target = self.simulation.agents_by_id[agent]
            if target.value(path) == after:
                self.simulation.set_value(target, path, before)
                restored.append(Change(agent, path, after, before))
            elif target.value(path) != before:
                conflicts.append(path)
        if conflicts:
            return ActionResult("refused", tuple(restored), error=f"changed since: {', '.join(conflicts)}")
        return ActionResult("done", tuple(restored))
