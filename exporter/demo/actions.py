"""What is done to the bot when it is asked to: as a real bot's bridge answers, and with effect."""

from __future__ import annotations

import asyncio
import math
import time
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal, NamedTuple

from exporter.demo.clock import Transaction
from exporter.demo.crew import Member
from exporter.demo.errors import DemoError
from exporter.demo.requests import AdjustAutonomy, Command, ExecuteAdaptation, RejectedError, Request, Restore
from exporter.demo.scenarios import ADAPTATIONS, DIRECTIONS, Step
from exporter.demo.signals import PAUSE, RESUME
from exporter.demo.simulation import Simulation

ANSWERS_KEPT = 1000
ACTIONS_A_MINUTE = 60
MINUTE_SECONDS = 60.0


class Change(NamedTuple):
    """One value of an agent."""

    agent: str
    path: str
    before: float
    after: float


class Answer(NamedTuple):
    status: Literal["done", "failed", "refused"]
    changes: tuple[Change, ...] = ()
    command: str = ""
    """The system command that was written, if it was one."""
    error: str = ""

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
        return document | ({"error": self.error} if self.error else {})


@dataclass
class Done:
    request: Request
    answer: Answer
    restored: bool = False


@dataclass
class Actions:
    """Carries out each id once, one at a time, and remembers the newest."""

    simulation: Simulation
    commit: Callable[[Transaction], Awaitable[None]]
    bot_start: float
    _done: OrderedDict[str, Done] = field(default_factory=OrderedDict)
    _busy: asyncio.Lock = field(default_factory=asyncio.Lock)
    _begun: deque[float] = field(default_factory=lambda: deque(maxlen=ACTIONS_A_MINUTE))

    async def answer(self, request: Request) -> Answer:
        """Raises RejectedError where nothing was done and the id is still free."""
        if done := self._done.get(request.id):
            if request != done.request:
                raise RejectedError(400, "id: was another request's")
            return done.answer
        if request.bot_start != self.bot_start:
            raise RejectedError(409, "botStart: this is another process")
        self._take_turn()
        async with self._busy:
            answer = await self._carry_out(request)
            self._done[request.id] = Done(request, answer)
            if len(self._done) > ANSWERS_KEPT:
                self._done.popitem(last=False)
        return answer

    def _take_turn(self) -> None:
        if self._busy.locked():
            raise RejectedError(429, "another action is under way", 1)
        now = time.monotonic()
        wait = self._begun[0] + MINUTE_SECONDS - now if len(self._begun) == ACTIONS_A_MINUTE else 0.0
        if wait > 0:
            raise RejectedError(429, f"no more than {ACTIONS_A_MINUTE} actions a minute", math.ceil(wait))
        self._begun.append(now)

    async def _carry_out(self, request: Request) -> Answer:
        match request:
            case ExecuteAdaptation():
                return self._change(request.agent, [ADAPTATIONS[name] for name in request.adaptations])
            case AdjustAutonomy():
                return self._change(request.agent, [DIRECTIONS[request.direction]])
            case Command():
                return await self._command(PAUSE if request.action == "pause" else RESUME)
            case Restore():
                return await self._restore(request.restores)

    def _change(self, agent: str, steps: list[Step]) -> Answer:
        member = self.simulation.members.get(agent)
        if member is None:
            return Answer("refused", error="there is no such agent")
        changes = [self._take(step, member) for step in steps]
        return Answer("done", tuple(change for change in changes if change.after != change.before))

    def _take(self, step: Step, member: Member) -> Change:
        before = member.value(step.path)
        after = step.after(before)
        self.simulation.change(member, step.path, after)
        return Change(member.agent.id, step.path, before, after)

    async def _command(self, name: str) -> Answer:
        at = self.simulation.clock.since_start(datetime.now(UTC))
        try:
            await self.commit(self.simulation.command(name, at))
        except DemoError as error:
            return Answer("failed", error=str(error))
        self.simulation.obey(name, at)
        return Answer("done", command=name)

    async def _restore(self, action: str) -> Answer:
        earlier = self._done.get(action)
        if earlier is None:
            return Answer("refused", error=f"no action {action} is known")
        done = earlier.answer
        if isinstance(earlier.request, Restore) or done.command == RESUME:
            return Answer("refused", error="a restore or a resume is not taken back")
        if earlier.restored or not (done.command or done.changes):
            return Answer("refused", error="there is nothing to restore")
        answer = await self._command(RESUME) if done.command else self._put_back(done.changes)
        earlier.restored = answer.status == "done"
        return answer

    def _put_back(self, changes: Sequence[Change]) -> Answer:
        """In reverse, and only what nobody else changed since."""
        back, lost = [], []
        for agent, path, before, after in reversed(changes):
            member = self.simulation.members[agent]
            if member.value(path) == after:
                self.simulation.change(member, path, before)
                back.append(Change(agent, path, after, before))
            elif member.value(path) != before:
                lost.append(path)
        if lost:
            return Answer("refused", tuple(back), error=f"changed since: {', '.join(lost)}")
        return Answer("done", tuple(back))
