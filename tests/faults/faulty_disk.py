"""A file system that shows a directory, and fails as it is told: `faulty_disk.py SOURCE TARGET ERRNO_FILE`.

ERRNO_FILE holds the error that every read of a file gives, 0 for none. A hanging disk is this process stopped, and a
server that is gone is this process killed. It speaks FUSE's protocol itself (linux/fuse.h), so that no library of the
system is needed: lookups, attributes and reads of the files in one directory.
"""

import ctypes
import os
import struct
import sys
from collections.abc import Callable
from pathlib import Path

IN_HEADER = struct.Struct("=IIQQIIIHH")
OUT_HEADER = struct.Struct("=IiQ")
INIT_OUT = struct.Struct("=IIIIHHIIHHI28x")
ATTRIBUTES = struct.Struct("=QQQQQQIIIIIIIIII")
READ_IN = struct.Struct("=QQI")
OPEN_OUT = struct.Struct("=QII")
STATFS_OUT = struct.Struct("=QQQQQIIII24x")
ROOT_NODE = 1
DIRECT_IO = 1
"""Without the kernel's cache, so that each read comes here."""
LARGEST_REQUEST = 1 << 20
LOOKUP, FORGET, GETATTR, OPEN, READ, STATFS = 1, 2, 3, 14, 15, 17
RELEASE, INIT, OPENDIR, READDIR, RELEASEDIR, BATCH_FORGET = 18, 26, 27, 28, 29, 42
NOT_ANSWERED = (FORGET, BATCH_FORGET)
MS_RDONLY = 1


class FaultyDisk:
    """Answers the kernel's requests for the files in `source`."""

    def __init__(self, source: Path, errno_file: Path) -> None:
        self._errno_file = errno_file
        self._nodes = [source, source]
        """By node id; 0 is none."""
        self._answers: dict[int, Callable[[int, bytes], bytes]] = {
            INIT: lambda *_: INIT_OUT.pack(7, 31, 65536, 0, 12, 9, 65536, 1, 0, 0, 0),
            LOOKUP: self._lookup,
            GETATTR: lambda node, _: struct.pack("=QII", 0, 0, 0) + self._attributes(node),
            OPEN: self._open,
            OPENDIR: self._open,
            READ: self._read,
            READDIR: lambda *_: b"",
            STATFS: lambda *_: STATFS_OUT.pack(1, 1, 1, 1, 1, 4096, 255, 4096, 0),
            RELEASE: lambda *_: b"",
            RELEASEDIR: lambda *_: b"",
        }

    def answer(self, request: bytes) -> bytes | None:
        """What to write for a request that was read; None where nothing is awaited."""
        _, operation, unique, node, *_ = IN_HEADER.unpack_from(request)
        if operation in NOT_ANSWERED:
            return None
        try:
            if operation not in self._answers:
                raise OSError(38, "ENOSYS")
            error, body = 0, self._answers[operation](node, request[IN_HEADER.size :])
        except OSError as failed:
            error, body = failed.errno or 5, b""
        return OUT_HEADER.pack(OUT_HEADER.size + len(body), -error, unique) + body

    def _lookup(self, _: int, body: bytes) -> bytes:
        path = self._nodes[ROOT_NODE] / os.fsdecode(body.rstrip(b"\0"))
        path.lstat()
        if path not in self._nodes:
            self._nodes.append(path)
        node = self._nodes.index(path)
        return struct.pack("=QQQQII", node, 0, 0, 0, 0, 0) + self._attributes(node)

    def _attributes(self, node: int) -> bytes:
        about = self._nodes[node].lstat()
        times = (about.st_atime_ns, about.st_mtime_ns, about.st_ctime_ns)
        seconds, parts = [each // 10**9 for each in times], [each % 10**9 for each in times]
        return ATTRIBUTES.pack(
            about.st_ino, about.st_size, about.st_blocks, *seconds, *parts,
            about.st_mode, about.st_nlink, 0, 0, 0, 4096, 0,
        )  # fmt: skip

    def _open(self, *_: object) -> bytes:
        return OPEN_OUT.pack(0, DIRECT_IO, 0)

    def _read(self, node: int, body: bytes) -> bytes:
        if error := int(self._errno_file.read_text()):
            raise OSError(error, os.strerror(error))
        _, offset, size = READ_IN.unpack_from(body)
        with self._nodes[node].open("rb") as stream:
            stream.seek(offset)
            return stream.read(size)


def main(source: Path, target: Path, errno_file: Path) -> None:
    """Mounts, says so on stdout, and serves until the mount or the process ends."""
    device = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={device},rootmode=40000,user_id=0,group_id=0,allow_other"
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"faulty", bytes(target), b"fuse.faulty", MS_RDONLY, options.encode()):
        raise OSError(ctypes.get_errno(), "cannot mount")
    disk = FaultyDisk(source, errno_file)
    print("mounted", flush=True)
    while True:
        if (answer := disk.answer(os.read(device, LARGEST_REQUEST))) is not None:
            os.write(device, answer)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
