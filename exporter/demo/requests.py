"""Requests to POST /actions, with the schema of a real bot's bridge (bridge/actions.schema.json)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

BODY_BYTES = 16 * 1024
MESSAGE_LENGTH = 200


class RejectedError(Exception):
    """The request was rejected without effect. `status` is the HTTP status."""

    def __init__(self, status: int, reason: str, retry_after_seconds: int | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.retry_after_seconds = retry_after_seconds


def _distinct(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) < len(names):
        raise ValueError("the values must be distinct")
    return names


Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,80}$")]
AgentId = Annotated[str, Field(min_length=1, max_length=128)]
Adaptation = Literal["GOAL_ADAPTATION", "STRATEGY_ADJUSTMENT", "INCREASE_AUTONOMY"]
Adaptations = Annotated[tuple[Adaptation, ...], Field(min_length=1), AfterValidator(_distinct)]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    version: Annotated[int, Field(ge=1, le=1)]
    id: Id
    bot_start: float = Field(alias="botStart", ge=0)
    """`process.startTime` of the process that the request is for."""
    owner: Id = ""
    """The optimizer that acts: one at a time."""


class ExecuteAdaptation(_Request):
    action: Literal["execute_adaptation"]
    agent: AgentId
    adaptations: Adaptations


class AdjustAutonomy(_Request):
    action: Literal["adjust_autonomy"]
    agent: AgentId
    direction: Literal["lower", "raise"]


class Command(_Request):
    action: Literal["pause", "resume"]


class Restore(_Request):
    action: Literal["restore"]
    restores: Id


class Check(_Request):
    action: Literal["check"]
    checks: Id


class Describe(_Request):
    action: Literal["describe"]


Request = ExecuteAdaptation | AdjustAutonomy | Command | Restore | Check | Describe
_REQUEST: TypeAdapter[Request] = TypeAdapter(Annotated[Request, Field(discriminator="action")])
_UNKNOWN_ACTION = (
    "action: must be execute_adaptation, adjust_autonomy, pause, resume, restore, check or describe"
)


def parse_request(body: bytes) -> Request:
    """Raises RejectedError, which names the first fault."""
    try:
        return _REQUEST.validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        # The first part of a location is the action, the discriminator of the union.
        location = "".join(f"{part}: " for part in first["loc"][1:2])
        message = _UNKNOWN_ACTION if first["type"].startswith("union_tag") else f"{location}{first['msg']}"
        raise RejectedError(
            400, (message if message.isprintable() else ascii(message))[:MESSAGE_LENGTH]
        ) from None
