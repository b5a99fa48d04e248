"""model.Bot by the bridge in the bot's process: GET /state and POST /actions."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from exporter.collectors.base import CollectorError
from exporter.collectors.bridge.client import VERSION, BotState, BridgeClient
from exporter.config import Bridge as Settings
from exporter.http.client import FetchError, fetch_json
from exporter.http.tokens import read_token
from exporter.metrics.labels import OTHER, UNKNOWN, slugify, spell_agent
from exporter.optimizer.model import Action, ActionResult, Change, NotCarriedOutError, UnavailableError
from exporter.runtime.files import UnreadableFileError

STATE_SECONDS = 10.0
ACTION_SECONDS = 15.0
"""The bridge answers within five that it has not finished yet."""
TOKEN_KEY = "optimizer.actions_token_file"  # noqa: S105 (a key of the configuration)

_UNAVAILABLE = {
    401: "; it wants another token than optimizer.actions_token_file has, or was started without actions",
    404: "; it was started without actions",
    421: "; it only answers to a local name such as 127.0.0.1",
    429: "; it does something else now, or was asked too often",
}
_NOT_UNDERSTOOD = (400, 405, 413, 415)
LARGEST_RESPONSE = 1 << 20


class _Strict(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)


Text = Annotated[str, StringConstraints(max_length=1000)]
Plain = None | bool | int | float | Text


class _Change(_Strict):
    agent: Text
    path: Text
    before: Plain = Field(alias="from")
    after: Plain = Field(alias="to")


class _Ability(_Strict):
    agent: Text
    actions: list[Text]


class _Problem(_Strict):
    error: Text


class _ActionDocument(_Strict):
    version: Literal[1]
    id: str
    abilities: list[_Ability] = []
    status: Literal["done", "running", "failed", "refused"]
    changes: Annotated[list[_Change], Field(max_length=1000)] = []
    error: Text = ""


class BridgedBot:
    """The bot whose bridge `settings` name. `aliases` are those that its agents' labels were made with.

    `owner` is by what the bridge knows the optimizer: to another one it does not listen meanwhile.
    """

    def __init__(
        self, settings: Settings, actions_token_file: Path, aliases: Mapping[str, str], owner: str
    ) -> None:
        self._owner = owner
        self._bridge = BridgeClient(settings)
        self._token_file = actions_token_file
        self._aliases = {slugify(name): slugify(alias) for name, alias in aliases.items()}
        parts = urlsplit(self._bridge.url)
        self._url = parts._replace(path=parts.path.rpartition("/")[0] + "/actions").geturl()

    async def start_time(self) -> float:
        """When the bot's process started."""
        _, start = (await self._state()).run
        if start is None:
            raise UnavailableError(f"{self._bridge.url} does not say when the bot's process started")
        return start

    async def perform(self, action_id: str, action: Action, bot_start: float) -> ActionResult:
        """Carries out `action`, whose agent is looked for among those of the state."""
        arguments: dict[str, object] = {"action": action.name}
        if action.agent:
            ids = _ids((await self._state()).document, action.agent, self._aliases)
            if len(ids) != 1 or action.agent in (OTHER, UNKNOWN):
                return _refused(_not_one(action.agent, ids))
            arguments["agent"] = ids[0]
        if action.adaptations:
            arguments["adaptations"] = list(action.adaptations)
        if action.direction:
            arguments["direction"] = action.direction
        return await self._post(action_id, bot_start, arguments)

    async def restore(self, action_id: str, restores: str, bot_start: float) -> ActionResult:
        """Restores what the action `restores` changed."""
        return await self._post(action_id, bot_start, {"action": "restore", "restores": restores})

    async def check(self, check_id: str, checks: str, bot_start: float) -> ActionResult:
        """Which of the values that the action `checks` changed are others by now."""
        return await self._post(check_id, bot_start, {"action": "check", "checks": checks})

    async def abilities(self) -> Mapping[str, Sequence[str]]:
        """The actions that the bot's methods allow, by the agent's id; "" is the whole bot."""
        document = await self._answer("describe", await self.start_time(), {"action": "describe"})
        return {each.agent: each.actions for each in document.abilities}

    async def close(self) -> None:
        await self._bridge.close()

    async def _state(self) -> BotState:
        try:
            return await self._bridge.state(STATE_SECONDS)
        except CollectorError as error:
            raise NotCarriedOutError(str(error)) from None

    async def _post(self, action_id: str, bot_start: float, arguments: Mapping[str, object]) -> ActionResult:
        try:
            found = await self._answer(action_id, bot_start, arguments)
        except _NotUnderstoodError as error:
            # Another request would not help.
            return _refused(f"{error}; take the bridge and the optimizer from one release")
        changes = tuple(Change(each.agent, each.path, each.before, each.after) for each in found.changes)
        return ActionResult(found.status, changes, found.error)

    async def _answer(
        self, action_id: str, bot_start: float, arguments: Mapping[str, object]
    ) -> _ActionDocument:
        common = {"version": VERSION, "id": action_id, "botStart": bot_start, "owner": self._owner}
        try:
            token = await asyncio.to_thread(read_token, self._token_file, TOKEN_KEY)
            headers = {"Authorization": f"Bearer {token}"}
            request = {**common, **arguments}
            document = await fetch_json(
                self._url, ACTION_SECONDS, headers, LARGEST_RESPONSE, posted=request, accepted=(200, 202, 409)
            )
        except UnreadableFileError as error:
            raise NotCarriedOutError(str(error)) from None
        except FetchError as error:
            if error.status in _NOT_UNDERSTOOD:
                raise _NotUnderstoodError(str(error)) from None
            rejected = not error.sent or error.status in _UNAVAILABLE
            kind = NotCarriedOutError if rejected else UnavailableError
            raise kind(f"{error}{_UNAVAILABLE.get(error.status, '')}") from None
        return self._parsed(document, action_id)

    def _parsed(self, document: Any, action_id: str) -> _ActionDocument:
        try:
            if isinstance(document, dict) and "id" not in document:
                # The answer to a conflict: another process, or another owner.
                raise NotCarriedOutError(f"{self._url} refuses: {_Problem.model_validate(document).error}")
            found = _ActionDocument.model_validate(document)
        except ValidationError:
            raise UnavailableError(f"{self._url} does not answer as a bridge does") from None
        if found.id != action_id:
            raise UnavailableError(f"{self._url} answers to another request")
        return found


class _NotUnderstoodError(UnavailableError):
    """The other side takes no such request."""


def _refused(why: str) -> ActionResult:
    return ActionResult("refused", error=why, by_client=True)


def _ids(document: Mapping[str, Any], label: str, aliases: Mapping[str, str]) -> list[str]:
    """The bot's own spellings of those agents in its state whose label this is."""
    agents = document.get("agents")
    entries = [each for each in agents if isinstance(each, dict)] if isinstance(agents, list) else []
    ids = dict.fromkeys(each["id"] for each in entries if isinstance(each.get("id"), str))
    return [each for each in ids if spell_agent(each, aliases) == label]


def _not_one(label: str, ids: list[str]) -> str:
    if not ids:
        return f"the bot has no agent that is exported as {label!a}"
    return f"the bot has several agents that are exported as {label!a}; give them names of their own (agents.aliases)"
