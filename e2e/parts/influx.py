"""A real InfluxDB 1.x (Debian's) on loopback, with or without users, which can be stopped and started again."""

import json
import shutil
import tempfile
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from parts.base import Process, free_port, need
from parts.promql import Labels, answers, fetch

CONFIG = """
reporting-disabled = true
bind-address = "127.0.0.1:{rpc}"
[meta]
  dir = "{folder}/meta"
[data]
  dir = "{folder}/data"
  wal-dir = "{folder}/wal"
[monitor]
  store-enabled = false
[http]
  bind-address = "127.0.0.1:{port}"
  auth-enabled = {auth}
[subscriber]
  enabled = false
"""


def influxd() -> str:
    """The program's path, or Missing."""
    return need("influxd", "Debian's package influxdb; series are read back from it")


class Influx:
    """A server with its data under `folder`."""

    def __init__(self, folder: Path, admin: tuple[str, str] | None) -> None:
        self._program = influxd()
        self._folder = folder
        self._admin = admin
        self._process: Process | None = None
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        auth = "true" if admin else "false"
        config = CONFIG.format(folder=folder, port=self.port, rpc=free_port(), auth=auth)
        (folder / "influxdb.conf").write_text(config)

    def start(self) -> None:
        """Start it, again if need be, and wait until it answers."""
        command: list[str | Path] = [self._program, "-config", self._folder / "influxdb.conf"]
        self._process = Process(command, self._folder / "influx.log")
        self._process.wait_until(lambda: answers(f"{self.url}/ping"), f"an answer of InfluxDB at {self.url}")

    def stop(self) -> None:
        """Stop it; port and data stay its own."""
        if self._process is not None:
            self._process.stop()
            self._process = None

    def query(self, text: str, database: str = "") -> list[dict[str, Any]]:
        """The series of an InfluxQL statement; RuntimeError where it is refused. Times are ms since the epoch."""
        user = {"u": self._admin[0], "p": self._admin[1]} if self._admin else {}
        where = urllib.parse.urlencode({"db": database, "epoch": "ms", **user})
        reply = json.loads(fetch(f"{self.url}/query?{where}", urllib.parse.urlencode({"q": text}).encode()))
        result = reply["results"][0]
        if "error" in result:
            raise RuntimeError(result["error"])
        series: list[dict[str, Any]] = result.get("series", [])
        return series

    def points(self, database: str) -> dict[Labels, dict[int, float]]:
        """All points of a database: labels (measurement as `__name__`) to timestamp to the field `value`."""
        found: dict[Labels, dict[int, float]] = {}
        for series in self.query("SELECT value FROM /.*/ GROUP BY *", database):
            tags = {name: value for name, value in series["tags"].items() if value != ""}
            labels = tuple(sorted({"__name__": series["name"], **tags}.items()))
            found[labels] = {int(time): float(value) for time, value in series["values"]}
        return found


@contextmanager
def influx(admin: tuple[str, str] | None = None) -> Iterator[Influx]:
    """A running server, with authentication where an admin's name and password are given; Missing without it."""
    folder = Path(tempfile.mkdtemp(prefix="moorage-influx-"))
    try:
        server = Influx(folder, admin)
        try:
            server.start()
            if admin:
                name, password = admin
                statement = f"CREATE USER {name} WITH PASSWORD '{password}' WITH ALL PRIVILEGES"
                fetch(f"{server.url}/query", urllib.parse.urlencode({"q": statement}).encode())
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
