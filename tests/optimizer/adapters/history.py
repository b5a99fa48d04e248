"""A real Prometheus that remembers what a test makes up."""

import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from tools import free_port, needed

Sample = tuple[float, float]
"""A moment and a value."""
History = Mapping[str, Iterable[Sample]]
"""By series, as PromQL writes them."""


@contextmanager
def remembering(directory: Path, history: History) -> Iterator[str]:
    """Its address."""
    made, data, port = directory / "history.txt", directory / "data", free_port()
    lines = [
        f"{series} {value!r} {moment:.3f}" for series, samples in history.items() for moment, value in samples
    ]
    made.write_text("\n".join([*lines, "# EOF\n"]))
    (directory / "prometheus.yml").write_text("")
    make = [needed("promtool"), "tsdb", "create-blocks-from", "openmetrics", str(made), str(data)]
    done = subprocess.run(make, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    command = [
        needed("prometheus"), f"--config.file={directory / 'prometheus.yml'}", f"--storage.tsdb.path={data}",
        f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn", "--storage.tsdb.retention.time=10y",
    ]  # fmt: skip
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            _wait_until_ready(f"http://127.0.0.1:{port}/-/ready")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def _wait_until_ready(url: str) -> None:
    for _ in range(900):
        try:
            with urlopen(url, timeout=5):
                return
        except (URLError, OSError):
            time.sleep(0.1)
    raise AssertionError(f"{url} does not answer")
