"""Prometheus and Alertmanager beside the demo bot, with all rules, as Debian's packages bring them; and Grafana."""

import asyncio
import shutil
import socket
import tempfile
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from exporter.cli import demo_grafana, demo_receiver, demo_rules
from exporter.cli.export_files import Links, linked
from exporter.config import Address

FACTOR = 30.0
"""How much faster than real everything goes: an alert that waits for five minutes fires after ten seconds."""
_LOOKBACK_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Programs:
    """The paths of the programs, and a Grafana if there is one."""

    prometheus: str
    alertmanager: str
    grafana: demo_grafana.Grafana | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """The exporter, and how much faster than real its bot lives."""

    address: Address
    telemetry_path: str
    factor: float


@dataclass(frozen=True, slots=True)
class Stack:
    """Where what runs is. `ended` gives the message once a program has ended by itself."""

    prometheus_url: str
    alertmanager_url: str
    grafana_url: str | None
    ended: "asyncio.Task[str]"


def programs() -> Programs | None:
    """Those on the PATH; None if one is missing."""
    prometheus = shutil.which("prometheus")
    alertmanager = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
    if not (prometheus and alertmanager):
        return None
    return Programs(prometheus, alertmanager, demo_grafana.installed())


@asynccontextmanager
async def running(found: Programs, target: Target, say: demo_receiver.Print) -> AsyncIterator[Stack]:
    """Runs both on free ports while the block runs. `say` prints what a person would be sent."""
    prometheus, alertmanager, grafana = (f"127.0.0.1:{port}" for port in _free_ports(3))
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tweetbot-stack-")))
        demo_rules.write_scaled(folder, target.factor)
        receiver = await stack.enter_async_context(demo_receiver.listening(say))
        links = Links(grafana_url=f"http://{grafana}") if found.grafana else Links()
        _configure_prometheus(folder, target, prometheus, alertmanager, links)
        _configure_alertmanager(folder, receiver)
        commands = (
            [
                found.alertmanager, f"--config.file={folder / 'alertmanager.yml'}",
                f"--storage.path={folder / 'alertmanager'}", "--cluster.listen-address=",
                f"--web.listen-address={alertmanager}",
            ],
            [
                found.prometheus, f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'prometheus'}", f"--web.listen-address={prometheus}",
                f"--query.lookback-delta={max(1, round(_LOOKBACK_SECONDS / target.factor))}s",
                "--rules.alert.resend-delay=2s", "--enable-feature=exemplar-storage",
            ],
        )  # fmt: skip
        processes = [await stack.enter_async_context(_process(command)) for command in commands]
        ended = asyncio.create_task(_first_ended(processes))
        stack.callback(ended.cancel)
        if found.grafana is not None:
            environment = demo_grafana.configure(folder / "grafana", grafana, f"http://{prometheus}")
            process = await stack.enter_async_context(_process(found.grafana.command, environment))
            watching = asyncio.create_task(_report_end(process, say))
            stack.callback(watching.cancel)
        yield Stack(
            f"http://{prometheus}",
            f"http://{alertmanager}",
            f"http://{grafana}" if found.grafana else None,
            ended,
        )


def _free_ports(count: int) -> list[int]:
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def _configure_prometheus(
    folder: Path, target: Target, prometheus: str, alertmanager: str, links: Links
) -> None:
    exporter = str(target.address._replace(host=target.address.host or "127.0.0.1"))
    links = replace(links, runbooks_url=f"http://{exporter}/runbooks")
    for path in (folder / "alerts").iterdir():
        path.write_bytes(linked(path.read_bytes(), links))
    _write(folder / "targets" / "tweetbot.yml", [{"targets": [exporter], "labels": {"bot": "demo"}}])
    _write(folder / "targets" / "alertmanager.yml", [{"targets": [alertmanager]}])
    document = _read(folder / "prometheus.yml")
    jobs = {job["job_name"]: job for job in document["scrape_configs"]}
    jobs["tweetbot"]["metrics_path"] = target.telemetry_path
    jobs["prometheus"]["static_configs"] = [{"targets": [prometheus]}]
    _write(folder / "prometheus.yml", document)


def _configure_alertmanager(folder: Path, receiver: str) -> None:
    routing = _read(folder / "alertmanager.yml")
    routing["receivers"] = [_to_the_terminal(each["name"], receiver) for each in routing["receivers"]]
    _write(folder / "alertmanager.yml", routing)


def _to_the_terminal(name: str, receiver: str) -> dict[str, Any]:
    if name == "none":
        return {"name": name}
    webhook = {"url": f"{receiver}/{name}", "send_resolved": name != demo_receiver.WATCHDOG}
    return {"name": name, "webhook_configs": [webhook]}


def _read(path: Path) -> Any:
    return yaml.safe_load(path.read_text("utf-8"))


def _write(path: Path, document: Any) -> None:
    path.write_text(yaml.safe_dump(document, sort_keys=False, allow_unicode=True), "utf-8")


@asynccontextmanager
async def _process(
    command: list[str], environment: Mapping[str, str] | None = None
) -> AsyncIterator[Process]:
    # Its own session: Ctrl-C is for the demo, which ends them all. Killed, as nothing of theirs is kept.
    process = await asyncio.create_subprocess_exec(
        *_ends_with_its_parent(command), stdin=DEVNULL, stdout=DEVNULL, stderr=PIPE, start_new_session=True,
        env=environment,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def _ends_with_its_parent(command: list[str]) -> list[str]:
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "KILL", *command] if setpriv else command


async def _first_ended(processes: list[Process]) -> str:
    done, waiting = await asyncio.wait(
        [asyncio.create_task(_last_line(process)) for process in processes],
        return_when=asyncio.FIRST_COMPLETED,
    )
    for task in waiting:
        task.cancel()
    return done.pop().result()


async def _report_end(grafana: Process, say: demo_receiver.Print) -> None:
    """The others go on without it."""
    say(f"Grafana ended: {await _last_line(grafana)}")


async def _last_line(process: Process) -> str:
    last = b""
    assert process.stderr is not None
    async for line in process.stderr:
        last = line
    return last.decode(errors="replace").strip() or "without a word"
