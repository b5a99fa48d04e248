"""The `optimizations` command: what it asks of the running optimizer."""

import asyncio
import ssl
from typing import Any, Literal

from exporter.cli.terminal import printable
from exporter.config import ConfigError, Optimizer, parse_address
from exporter.http.client import FetchError, fetch_json
from exporter.http.tokens import read_token
from exporter.optimizer.http.api import OPTIMIZATIONS_PATH, RESUME_PATH, SUSPEND_PATH, TOKEN_KEY
from exporter.runtime.files import UnreadableFileError

ANSWER_SECONDS = 60.0
"""The optimizer finishes what it is doing first."""


class OptimizationsError(Exception):
    """It could not be done. The message is for the user."""


def roll_back(settings: Optimizer, optimization_id: int, tls: ssl.SSLContext | None) -> None:
    """Asks the optimizer that runs with these settings, and prints what it says."""
    response = _post(settings, f"{OPTIMIZATIONS_PATH}/{optimization_id}/roll-back", tls)
    print(printable(f"optimization {optimization_id} is {response.get('state')}: {response.get('reason')}"))


def ask(settings: Optimizer, what: Literal["suspend", "resume"], tls: ssl.SSLContext | None) -> None:
    """Has it begin nothing new from now on, or again."""
    response = _post(settings, {"suspend": SUSPEND_PATH, "resume": RESUME_PATH}[what], tls)
    print(printable(f"the optimizer is {response.get('state')}"))


def _post(settings: Optimizer, path: str, tls: ssl.SSLContext | None) -> dict[str, Any]:
    if settings.token_file is None:
        raise ConfigError(f"{TOKEN_KEY} is needed: the optimizer needs the token in it")
    try:
        headers = {"Authorization": f"Bearer {read_token(settings.token_file, TOKEN_KEY)}"}
        url = f"{'https' if tls else 'http'}://{_address(settings)}{path}"
        request = fetch_json(
            url, ANSWER_SECONDS, headers, posted={}, accepted=(200, 202, 404, 409, 503), tls=tls
        )
        answer = asyncio.run(request)
    except UnreadableFileError as error:
        raise ConfigError(str(error)) from None
    except FetchError as error:
        hint = {0: "; does the optimizer run?", 401: f"; it has another {TOKEN_KEY}"}.get(error.status, "")
        raise OptimizationsError(f"{error}{hint}") from None
    response = answer if isinstance(answer, dict) else {}
    if "error" in response:
        raise OptimizationsError(printable(str(response["error"])))
    return response


def _address(settings: Optimizer) -> str:
    address = parse_address(settings.listen_addresses[0])
    if address.port == 0:
        raise ConfigError("optimizer.listen_addresses: name the port that the optimizer listens on")
    return str(address._replace(host=address.host or "127.0.0.1"))
