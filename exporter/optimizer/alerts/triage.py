"""Which alerts of a webhook lead to an optimization: pure. An alert is only a hint to look, and given once."""

from collections import Counter
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field

from exporter.optimizer.model import Alert, Severity, Subject
from exporter.optimizer.strategies import rank

MAX_OPEN = 100
"""Optimizations. What comes beyond is rejected, and is welcome again when its alert is repeated."""

OVER_COOLDOWN_SECONDS = 300.0
"""After one that was over before anything was done: an honest alert needs as long to fire again."""
RENEWED_SECONDS = 86_400.0
"""So often, at most, it is written down that an episode goes on."""

Episode = tuple[str, float]
"""One time that an alert fired: its fingerprint, and when it began."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What the ledger says that matters to new alerts."""

    open: Mapping[Subject, Severity]
    waiting: Set[Subject]
    """Those of the open ones for which nothing was done yet."""
    open_count: int
    cooling: Mapping[Subject, Severity]
    """Those that were dealt with so recently that they are left alone, unless they are worse now."""
    episodes: Mapping[Episode, bool]
    """Those seen before: whether they are resolved."""
    to_renew: Set[Episode]
    """Those of them that were not renewed for long."""


@dataclass(slots=True)
class Admission:
    """What to write down. `noted` are the alerts whose episodes are remembered from now on.

    `renewed` are episodes that are remembered longer.
    """

    new: dict[Subject, Alert] = field(default_factory=dict)
    raised: dict[Subject, Severity] = field(default_factory=dict)
    noted: list[Alert] = field(default_factory=list)
    renewed: set[Episode] = field(default_factory=set)
    counts: Counter[str] = field(default_factory=Counter)


def admit(alerts: Iterable[Alert], standing: Standing, agents: Set[str] | None) -> Admission:
    """Sorts alerts, in their order. `agents` are the known ones, None where nobody knows yet.

    What is rejected is not remembered, but for what another optimization already is about: an alert that comes too
    early is taken when it is repeated after that.
    """
    admission = Admission()
    episodes, severities, waiting = dict(standing.episodes), dict(standing.open), set(standing.waiting)
    for alert in alerts:
        verdict = _verdict(alert, standing, admission, episodes, severities, agents)
        admission.counts[verdict] += 1
        episode = alert.fingerprint, alert.starts_at
        if verdict == "repeated" and episode in standing.to_renew:
            admission.renewed.add(episode)
        if verdict not in ("accepted", "open"):
            continue
        known = severities.get(alert.subject)
        worse = known is None or rank(alert.severity) > rank(known)
        if verdict == "open" and worse and alert.subject not in waiting:
            # Too late to change what is being done: taken up after it.
            continue
        episodes[episode] = not alert.firing
        admission.noted.append(alert)
        if not alert.firing:
            continue
        if known is None:
            admission.new[alert.subject] = alert
            waiting.add(alert.subject)
        if worse:
            severities[alert.subject] = admission.raised[alert.subject] = alert.severity
    return admission


def _verdict(
    alert: Alert,
    standing: Standing,
    admission: Admission,
    episodes: Mapping[Episode, bool],
    severities: Mapping[Subject, Severity],
    agents: Set[str] | None,
) -> str:
    if agents is not None and alert.subject.agent and alert.subject.agent not in agents:
        return "unknown_agent"
    resolved = episodes.get((alert.fingerprint, alert.starts_at))
    if resolved is not None and (alert.firing or resolved):
        return "repeated"
    if not alert.firing:
        return "accepted"
    if alert.subject in severities:
        return "open"
    cooling = standing.cooling.get(alert.subject)
    if cooling is not None and rank(alert.severity) <= rank(cooling):
        return "cooldown"
    if standing.open_count + len(admission.new) >= MAX_OPEN:
        return "full"
    return "accepted"
