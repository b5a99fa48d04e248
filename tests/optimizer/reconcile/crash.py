"""The reconciler in a process of its own, to be killed: `python -m optimizer.reconcile.crash LEDGER SOCKET new|old`.

Its bot is asked over a socket. Its Prometheus is made up here: every agent's response time is too long, and gets worse
by what is done, so that each optimization ends rolled back. With `new` there are always new alerts, with `old` none.
Each step is a minute after the one before.
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from exporter.optimizer.alerts.receiver import AlertReceiver
from exporter.optimizer.bottlenecks.agent_response_time import AGENT_RESPONSE_TIME
from exporter.optimizer.ledger.store import Ledger
from exporter.optimizer.model import Action, ActionResult, Alert, Change, Impact, Subject, UnavailableError
from exporter.optimizer.reconcile.reconciler import Reconciler
from optimizer.fakes import NOON, Clock, FakeMetrics, config

AGENTS = [f"agent-{number}" for number in range(8)]
MINUTE = 60.0


class SocketBot:
    def __init__(self, path: str) -> None:
        self._path = path

    async def _ask(self, **request: Any) -> Any:
        try:
            reader, writer = await asyncio.open_unix_connection(self._path)
            writer.write(json.dumps(request).encode() + b"\n")
            answer = json.loads(await reader.readline())
            writer.close()
        except (OSError, ValueError) as error:
            raise UnavailableError(f"no answer: {error}") from None
        return answer

    async def start_time(self) -> float:
        return float(await self._ask(what="start"))

    async def perform(self, action_id: str, action: Action, bot_start: float) -> ActionResult:
        return _answer(await self._ask(what="perform", id=action_id, agent=action.agent))

    async def restore(self, action_id: str, restores: str, bot_start: float) -> ActionResult:
        return _answer(await self._ask(what="restore", id=action_id, restores=restores))

    async def check(self, check_id: str, checks: str, bot_start: float) -> ActionResult:
        return ActionResult("done")


def _answer(found: list[Any]) -> ActionResult:
    status, changes = found
    return ActionResult(status, tuple(Change(*change) for change in changes))


async def main(ledger_file: str, socket: str, alerts: str) -> None:
    clock = Clock()
    metrics = FakeMetrics(known=frozenset(AGENTS))
    settings = config(actions_per_hour=1000, cooldown_seconds=0, harm_cooldown_seconds=0, harms_per_day=1000)
    async with Ledger.open(Path(ledger_file)) as ledger:
        # Goes on where the one that was killed stood.
        clock.now = max([NOON, *(entry.state_since for entry in await ledger.optimizations(limit=1_000_000))])
        reconciler = Reconciler(settings, ledger, metrics, SocketBot(socket), clock)
        receiver = AlertReceiver(settings, ledger, lambda: reconciler.agents, clock)
        while True:
            clock.pass_(MINUTE)
            for agent in AGENTS:
                subject = Subject(AGENT_RESPONSE_TIME, agent)
                metrics.seen[subject], metrics.limits[subject] = Impact("high", 0.4), 2.0
                metrics.values[subject] = (2.8, 60)
                if alerts == "new":
                    await receiver.receive([Alert(subject, "high", True, agent, clock.now)])
            for entry in await ledger.open_optimizations():
                if entry.before is not None:
                    metrics.values[entry.subject] = (5.0, 60)
            await reconciler.reconcile()
            print("step", flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
