"""Which alerts of a webhook lead to an optimization: pure. An alert is only a hint to look, and counts once."""

from collections.abc import Iterable, Mapping, Set

from exporter.optimizer.bottlenecks.base import Severity
from exporter.optimizer.ledger.entries import AlertOccurrence, LedgerView, TriageResult
from exporter.optimizer.model import Alert, Subject, rank

MAX_OPEN = 100
"""Optimizations. What comes beyond is rejected, and accepted when its alert is repeated later."""


def triage(alerts: Iterable[Alert], view: LedgerView, agents: Set[str] | None) -> TriageResult:
    """Sorts alerts, in their order. `agents` are the known ones, None where they are not known yet.

    What is rejected is not remembered, except for what another optimization already is about: an alert that comes too
    early is accepted when it is repeated after that.
    """
    result = TriageResult()
    occurrences, severities, waiting = dict(view.occurrences), dict(view.open), set(view.waiting)
    for alert in alerts:
        verdict = _verdict(alert, view, result, occurrences, severities, agents)
        result.counts[verdict] += 1
        occurrence = alert.fingerprint, alert.starts_at
        if verdict == "repeated" and occurrence in view.to_renew:
            result.renewed.add(occurrence)
        if verdict not in ("accepted", "open"):
            continue
        known = severities.get(alert.subject)
        worse = known is None or rank(alert.severity) > rank(known)
        if verdict == "open" and worse and alert.subject not in waiting:
            # Too late to change what is being done: taken up after it.
            continue
        occurrences[occurrence] = not alert.firing
        result.noted.append(alert)
        if not alert.firing:
            continue
        if known is None:
            result.new[alert.subject] = alert
            waiting.add(alert.subject)
        if worse:
            severities[alert.subject] = result.raised[alert.subject] = alert.severity
    return result


def _verdict(
    alert: Alert,
    view: LedgerView,
    result: TriageResult,
    occurrences: Mapping[AlertOccurrence, bool],
    severities: Mapping[Subject, Severity],
    agents: Set[str] | None,
) -> str:
    if agents is not None and alert.subject.agent and alert.subject.agent not in agents:
        return "unknown_agent"
    resolved = occurrences.get((alert.fingerprint, alert.starts_at))
    if resolved is not None and (alert.firing or resolved):
        return "repeated"
    if not alert.firing:
        return "accepted"
    if alert.subject in severities:
        return "open"
    cooling = view.cooling.get(alert.subject)
    if cooling is not None and rank(alert.severity) <= rank(cooling):
        return "cooldown"
    if view.open_count + len(result.new) >= MAX_OPEN:
        return "full"
    return "accepted"
