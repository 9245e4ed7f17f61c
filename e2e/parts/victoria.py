"""A real VictoriaMetrics (Debian's) on loopback, which can be stopped and started again on its port and data."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from parts.base import Process, free_port, need
from parts.promql import PromQl, answers

RETENTION_MONTHS = 1200


def victoria_metrics() -> str:
    """The program's path, or Missing."""
    return need("victoria-metrics", "Debian's package victoria-metrics; series are read back from it")


class Victoria(PromQl):
    """A server with its data under `folder`; points written twice are kept once, old ones are not dropped."""

    def __init__(self, folder: Path) -> None:
        self._program = victoria_metrics()
        self._folder = folder
        self._process: Process | None = None
        self.port = free_port()
        super().__init__(f"http://127.0.0.1:{self.port}")
        self.write_url = f"{self.url}/api/v1/write"

    def start(self) -> None:
        """Start it, again if need be, and wait until it answers."""
        command = [
            self._program,
            f"-httpListenAddr=127.0.0.1:{self.port}",
            f"-storageDataPath={self._folder / 'data'}",
            f"-retentionPeriod={RETENTION_MONTHS}",
            "-dedup.minScrapeInterval=1ms",
            "-search.latencyOffset=0s",
            "-search.disableCache",
            "-memory.allowedBytes=128MB",
        ]
        self._process = Process(command, self._folder / "victoria.log")
        self._process.wait_until(
            lambda: answers(f"{self.url}/health"), f"an answer of VictoriaMetrics at {self.url}"
        )

    def stop(self) -> None:
        """Stop it; port and data stay its own."""
        if self._process is not None:
            self._process.stop()
            self._process = None

    def settle(self) -> None:
        """Make what was written visible to queries at once."""
        self.get("/internal/force_flush")


@contextmanager
def victoria() -> Iterator[Victoria]:
    """A running server; Missing where it is not installed."""
    folder = Path(tempfile.mkdtemp(prefix="moorage-victoria-"))
    try:
        server = Victoria(folder)
        try:
            server.start()
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
