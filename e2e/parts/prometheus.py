"""A real Prometheus (Debian's) that takes remote writes, out of order too, and can be stopped and started again."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from parts.base import Process, free_port, need
from parts.promql import PromQl, answers


def prometheus_program() -> str:
    """The program's path, or Missing."""
    return need("prometheus", "Debian's package prometheus; series are read back from it")


class Prometheus(PromQl):
    """A server with its data under `folder`; `out_of_order` is how old a point may be, as Prometheus writes it."""

    def __init__(self, folder: Path, out_of_order: str | None) -> None:
        self._program = prometheus_program()
        self._folder = folder
        self._process: Process | None = None
        self.port = free_port()
        super().__init__(f"http://127.0.0.1:{self.port}")
        self.write_url = f"{self.url}/api/v1/write"
        config = "global: {scrape_interval: 1h}\n"
        if out_of_order is not None:
            config += f"storage: {{tsdb: {{out_of_order_time_window: {out_of_order}}}}}\n"
        (folder / "prometheus.yml").write_text(config)

    def start(self) -> None:
        """Start it, again if need be, and wait until it answers."""
        command = [
            self._program,
            f"--config.file={self._folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={self._folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
            "--web.enable-remote-write-receiver",
            "--storage.tsdb.retention.time=100y",
        ]
        self._process = Process(command, self._folder / "prometheus.log")
        self._process.wait_until(
            lambda: answers(f"{self.url}/-/ready"), f"an answer of Prometheus at {self.url}"
        )

    def stop(self) -> None:
        """Stop it; port and data stay its own."""
        if self._process is not None:
            self._process.stop()
            self._process = None


@contextmanager
def prometheus(out_of_order: str | None = "1d") -> Iterator[Prometheus]:
    """A running server; Missing where it is not installed."""
    folder = Path(tempfile.mkdtemp(prefix="moorage-prometheus-"))
    try:
        server = Prometheus(folder, out_of_order)
        try:
            server.start()
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
