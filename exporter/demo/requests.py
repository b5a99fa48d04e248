"""What may be asked of the bot at POST /actions, as of a real bot's bridge."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

BODY_BYTES = 16 * 1024
MESSAGE_LENGTH = 200


class RejectedError(Exception):
    """Nothing was done; the message says why, `status` is HTTP's."""

    def __init__(self, status: int, why: str, retry_after_seconds: int | None = None) -> None:
        super().__init__(why)
        self.status = status
        self.retry_after_seconds = retry_after_seconds


def _each_once(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) < len(names):
        raise ValueError("each may be there once")
    return names


Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,80}$")]
AgentId = Annotated[str, Field(min_length=1, max_length=128)]
Adaptation = Literal["GOAL_ADAPTATION", "STRATEGY_ADJUSTMENT", "INCREASE_AUTONOMY"]
Adaptations = Annotated[tuple[Adaptation, ...], Field(min_length=1), AfterValidator(_each_once)]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    version: Annotated[int, Field(ge=1, le=1)]
    id: Id
    bot_start: float = Field(alias="botStart", ge=0)
    """The process that is meant: `process.startTime` of its state."""


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


Request = ExecuteAdaptation | AdjustAutonomy | Command | Restore
_REQUEST: TypeAdapter[Request] = TypeAdapter(Annotated[Request, Field(discriminator="action")])
_WHICH_ACTION = "action: must be execute_adaptation, adjust_autonomy, pause, resume or restore"


def parse(body: bytes) -> Request:
    """The request, or a RejectedError that names the first thing wrong with it."""
    try:
        return _REQUEST.validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        # The first part of a place is the action, by which the kind of request was chosen.
        where = "".join(f"{part}: " for part in first["loc"][1:2])
        told = _WHICH_ACTION if first["type"].startswith("union_tag") else f"{where}{first['msg']}"
        raise RejectedError(400, (told if told.isprintable() else ascii(told))[:MESSAGE_LENGTH]) from None
