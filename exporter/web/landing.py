"""The landing page: version, links, and how each collector did last. One file, nothing loaded from elsewhere."""

import base64
import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape

from exporter import __version__
from exporter.collectors.scrape import CollectorStatus

_STYLE = """
:root { color-scheme: light dark; --page: #fff; --text: #1c2024; --soft: #5a6470; --line: #d5d9de;
  --link: #0b57d0; --good: #1a7f37; --bad: #b3261e; --wait: #8a5a00; }
@media (prefers-color-scheme: dark) { :root { --page: #15181c; --text: #e6e9ec; --soft: #9aa5b1;
  --line: #3a4048; --link: #8ab4f8; --good: #4ac26b; --bad: #ff8a80; --wait: #e3b341; } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 3rem auto; padding: 0 1rem;
  background: var(--page); color: var(--text); }
h1 { font-size: 1.5rem; margin: 0; }
h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
p { margin: .25rem 0 1rem; color: var(--soft); }
a { color: var(--link); }
ul { padding: 0; margin: 1.5rem 0; list-style: none; }
li { margin: .35rem 0; }
li span { color: var(--soft); }
div { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .45rem .75rem .45rem 0;
  border-bottom: 1px solid var(--line); }
th { font-weight: 600; color: var(--soft); }
td:last-child { overflow-wrap: anywhere; }
.good { color: var(--good); }
.bad { color: var(--bad); }
.wait { color: var(--wait); }
"""
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

# Nothing but this page's own style: no scripts, no frames, no requests.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        f"style-src 'sha256-{_HASH}'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>TweetBot exporter</title>
<style>{style}</style>
</head>
<body>
<h1>TweetBot exporter</h1>
<p>Version {version}</p>
<ul>
<li><a href="{prefix}{telemetry}">Metrics</a> <span>what Prometheus scrapes</span></li>
<li><a href="{prefix}/api/v1/agents">Agents</a> <span>each with all that is known of it, as JSON</span></li>
<li><a href="{prefix}/runbooks/">Runbooks</a> <span>what to do about an alert</span></li>
<li><a href="{prefix}/-/ready">Readiness</a> <span>whether everything has been read</span></li>
<li><a href="{prefix}/-/healthy">Health</a> <span>whether the exporter answers</span></li>
</ul>
<h2>Sources</h2>
<div><table>
<thead><tr><th>Source</th><th>Last scrape</th><th>State</th></tr></thead>
<tbody>
{rows}
</tbody>
</table></div>
</body>
</html>
"""


def landing_page(states: Sequence[CollectorStatus], telemetry_path: str, prefix: str = "") -> str:
    """The page as HTML, with `prefix` before its links; everything that comes from outside is escaped."""
    rows = "\n".join(_row(state) for state in states) or '<tr><td colspan="3">none</td></tr>'
    return _PAGE.format(
        style=_STYLE,
        version=escape(__version__),
        prefix=escape(prefix),
        telemetry=escape(telemetry_path),
        rows=rows,
    )


def _row(state: CollectorStatus) -> str:
    lines = [_state(state), *(f'<span class="wait">{escape(what)}</span>' for what in state.not_ready)]
    return f"<tr><td>{escape(state.name)}</td><td>{_when(state)}</td><td>{'<br>'.join(lines)}</td></tr>"


def _state(state: CollectorStatus) -> str:
    if state.at is None:
        return '<span class="wait">not scraped yet</span>'
    if state.error:
        return f'<span class="bad">failed: {escape(state.error)}</span>'
    return f'<span class="good">works</span>, took {state.seconds * 1000:.1f} ms'


def _when(state: CollectorStatus) -> str:
    return f"{datetime.fromtimestamp(state.at, UTC):%Y-%m-%d %H:%M:%S} UTC" if state.at is not None else "–"
