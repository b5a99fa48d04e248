"""Makes page.txt anew, when a change of the page is meant. Look at the difference before it is committed."""

import asyncio
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from metrics.test_catalogue import golden_page
from tools import GOLDEN

with tempfile.TemporaryDirectory() as directory:
    (GOLDEN / "page.txt").write_text(asyncio.run(golden_page(Path(directory))))
