"""Memory limits, which count the address space that is reserved (ulimit -v)."""

import re
import subprocess
import sys
from pathlib import Path

from collectors.sqlite.bots import executions, write_bot

from faults.programs import running, wait_for

LIMIT_KB = 256_000
MANY_THREADS = """
import asyncio, re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from exporter.runtime import signals

async def work():
    together = Barrier(16)
    def allocate():
        bytearray(100_000)
        together.wait(60)
    with ThreadPoolExecutor(16) as pool:
        await asyncio.gather(*(asyncio.get_running_loop().run_in_executor(pool, allocate) for _ in range(16)))
    print(re.search(r"VmPeak:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

signals.run(work())
"""


def test_threads_reserve_no_heap_of_their_own() -> None:
    done = subprocess.run([sys.executable, "-c", MANY_THREADS], capture_output=True, text=True, check=True)
    # Their stacks are 8 MB each, a heap of glibc's would be 64 MB more.
    assert int(done.stdout.split()[0]) < 16 * 30_000


def test_a_history_is_read_under_a_memory_limit(tmp_path: Path) -> None:
    bot = tmp_path / "bot.db"
    write_bot(bot, agent_executions=executions(5000))
    limited = ["sh", "-c", f'ulimit -v {LIMIT_KB}; exec "$@"', "sh"]
    with running("serve", f"--database.path={bot}", folder=tmp_path, prefix=limited) as program:
        wait_for(lambda: program.database_works() and program.series("executions_total") == 5000)
        found = re.search(r"VmPeak:\s+(\d+)", Path(f"/proc/{program.process.pid}/status").read_text())
        assert found
        assert int(found[1]) < LIMIT_KB
        assert "collector failed" not in program.end()
