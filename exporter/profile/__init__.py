"""An agent's whole profile: what all five sources know of it, each value with its unit, source and age.

`rows` says which family a row is, `snapshot` finds it in what one scrape delivered; nothing is measured again.
"""

from exporter.profile.rows import GROUPS, ROWS, Row
from exporter.profile.snapshot import Profile, Snapshot, Value

__all__ = ["GROUPS", "ROWS", "Profile", "Row", "Snapshot", "Value"]
