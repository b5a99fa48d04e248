"""Which file system a file lies on, and whether it is mounted without its directory."""

import os
import re
from pathlib import Path
from typing import NamedTuple

LOCAL = {"ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "tmpfs", "zfs", "bcachefs"}
"""Kept by one kernel, which knows all locks of a file and stamps each write. Not among them: network file systems,
FUSE, 9p and overlays, where another machine, a server or a second inode may write."""


class Mount(NamedTuple):
    """Where a file system is mounted, and what kind it is; unknown (empty) without /proc."""

    point: str = ""
    kind: str = ""

    @property
    def is_local(self) -> bool:
        return self.kind in LOCAL

    def is_of(self, path: str) -> bool:
        """Whether it shows this file alone, and nothing beside it."""
        return self.point == path


def mount_of(fd: int) -> Mount:
    """The mount that an open file was reached by."""
    try:
        about = Path(f"/proc/self/fdinfo/{fd}").read_text()
        mounts = os.fsdecode(Path("/proc/self/mountinfo").read_bytes())
    except OSError:
        return Mount()
    number = re.search(r"^mnt_id:\s*(\d+)$", about, re.MULTILINE)
    for line in mounts.splitlines():
        fields, _, kind = line.partition(" - ")
        mount, _, _, _, point, *_ = fields.split(" ")
        if number and mount == number[1]:
            return Mount(_unescaped(point), kind.split(" ")[0])
    return Mount()


def _unescaped(text: str) -> str:
    """The kernel writes blanks and backslashes as three octal digits."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)
