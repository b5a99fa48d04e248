"""Alertmanager's webhook (version "4"): from the bytes of a request to model.Alert.

Of each alert are read its status, when it began, its fingerprint, and the labels `bottleneck`,
`bottleneck_severity`, `agent` and `bot`. An alert that cannot be used is counted by reason, and never costs the others.
"""

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Literal, NoReturn

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from exporter.optimizer import bottlenecks
from exporter.optimizer.model import SEVERITIES, Alert, Subject

LARGEST_BODY = 1 << 20
MOST_ALERTS = 1000

_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})"
)


class EnvelopeError(Exception):
    """The request as a whole is no webhook of Alertmanager's. The message is for the sender."""


class TooManyError(Exception):
    """More alerts than are accepted at a time. The message is for the sender."""


@dataclass(frozen=True, slots=True)
class WebhookPayload:
    """The alerts of a request that can be used, and how many cannot, by reason."""

    alerts: tuple[Alert, ...]
    rejected: Counter[str] = field(default_factory=Counter)

    @property
    def size(self) -> int:
        """All alerts in the request."""
        return len(self.alerts) + self.rejected.total()


class _Strict(BaseModel):
    # Alertmanager may add fields; those that are read are what they say.
    model_config = ConfigDict(extra="ignore", strict=True)


class _Envelope(_Strict):
    version: Literal["4"]
    alerts: list[Any]


Text = Annotated[str, StringConstraints(max_length=128)]


class _Labels(_Strict):
    bottleneck: Text = ""
    bottleneck_severity: Text = ""
    agent: Text = ""
    bot: Text = ""


class _Alert(_Strict):
    status: Literal["firing", "resolved"]
    labels: _Labels
    starts_at: str = Field(alias="startsAt", max_length=64)
    fingerprint: str = Field(pattern=r"^[0-9a-f]{16}$")


class _RejectedError(Exception):
    """Holds the reason, a label's value."""


def parse(body: bytes, bot: str | None) -> WebhookPayload:
    """The alerts about `bot` (None: about any) in the body of a request; else EnvelopeError or TooManyError."""
    try:
        envelope = _Envelope.model_validate(_document(body))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the document"
        raise EnvelopeError(f'not a webhook of Alertmanager, version "4": {where}: {first["msg"]}') from None
    if len(envelope.alerts) > MOST_ALERTS:
        raise TooManyError(
            f"more than {MOST_ALERTS} alerts; set max_alerts in Alertmanager's webhook_configs"
        )
    alerts: list[Alert] = []
    rejected: Counter[str] = Counter()
    for raw in envelope.alerts:
        try:
            alerts.append(_alert(raw, bot))
        except _RejectedError as reason:
            rejected[str(reason)] += 1
    return WebhookPayload(tuple(alerts), rejected)


def _document(body: bytes) -> Any:
    try:
        return json.loads(body.decode(), object_pairs_hook=_without_duplicates, parse_constant=_no_json)
    except RecursionError:
        raise EnvelopeError("JSON that is nested too deeply") from None
    except ValueError:
        raise EnvelopeError("not valid JSON in UTF-8, with each key once") from None


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # Of two values of one key, another reader may take the other.
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("duplicate key")
    return found


def _no_json(name: str) -> NoReturn:
    raise ValueError(name)


def _alert(raw: Any, bot: str | None) -> Alert:
    try:
        found = _Alert.model_validate(raw)
    except ValidationError:
        raise _RejectedError("malformed") from None
    labels = found.labels
    if (bottleneck := bottlenecks.find(labels.bottleneck)) is None:
        raise _RejectedError("not_a_bottleneck")
    if bot is not None and labels.bot != bot:
        raise _RejectedError("other_bot")
    severity = SEVERITIES.get(labels.bottleneck_severity)
    if severity is None or (bottleneck.scope == "agent") != bool(labels.agent):
        raise _RejectedError("malformed")
    return Alert(
        Subject(bottleneck, labels.agent),
        severity,
        found.status == "firing",
        found.fingerprint,
        _seconds(found.starts_at),
    )


def _seconds(moment: str) -> float:
    """RFC 3339, as Go writes it: up to nine digits after the point, of which six count."""
    if not _MOMENT.fullmatch(moment):
        raise _RejectedError("malformed")
    try:
        seconds = datetime.fromisoformat(moment).timestamp()
    except ValueError:
        raise _RejectedError("malformed") from None
    if seconds < 0:
        # Go's zero time, for one: no moment is known.
        raise _RejectedError("malformed")
    return seconds
