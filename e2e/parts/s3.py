"""A real S3 server over a folder: versitygw, built once from its own Go module.

Object storage is only tested where requests are signed, listed in pages and refused by somebody else's code.
"""

import secrets
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from parts.base import Process, cached, free_port, need

RECIPE = Path(__file__).parent / "s3"
COMMAND = "github.com/versity/versitygw/cmd/versitygw"
REGION = "us-east-1"


@dataclass
class S3Server:
    """A server, which can be stopped and started again; `root` holds a folder per bucket, a file per object."""

    endpoint: str
    access_key: str
    secret_key: str
    root: Path
    launch: Callable[[], Process] = field(repr=False)
    region: str = REGION
    _process: Process | None = field(default=None, repr=False)

    def start(self) -> None:
        """Start it, again if need be, and wait until it answers."""
        process = self._process = self.launch()
        port = int(self.endpoint.rpartition(":")[2])
        process.wait_until(lambda: _listens(port), "the S3 server's port")

    def stop(self) -> None:
        """Stop it; port and data stay its own."""
        if self._process is not None:
            self._process.stop()
            self._process = None

    @property
    def env(self) -> dict[str, str]:
        """The credentials, as a pod gets them from its secret."""
        return {"AWS_ACCESS_KEY_ID": self.access_key, "AWS_SECRET_ACCESS_KEY": self.secret_key}

    def bucket(self, name: str) -> Path:
        """Create a bucket if need be; its folder."""
        folder = self.root / name
        folder.mkdir(exist_ok=True)
        return folder


def versitygw() -> Path:
    """The server's program; built where it has not been yet (minutes)."""

    def compile_into(folder: Path) -> None:
        go = need("go", f"builds the S3 server {COMMAND}")
        subprocess.run(
            [go, "build", "-trimpath", "-ldflags", "-s -w", "-o", folder / "versitygw", COMMAND],
            cwd=RECIPE,
            check=True,
        )

    return cached("versitygw", [RECIPE / "go.mod", RECIPE / "go.sum"], compile_into) / "versitygw"


@contextmanager
def s3_server() -> Iterator[S3Server]:
    """Run the server on a free port of loopback over a temporary folder; Missing without Go."""
    program = versitygw()
    with tempfile.TemporaryDirectory(prefix="moorage-s3-") as folder:
        base = Path(folder)
        root, sidecar = base / "buckets", base / "sidecar"
        root.mkdir()
        sidecar.mkdir()
        port = free_port()
        access, secret = secrets.token_hex(10), secrets.token_hex(20)
        command: list[str | Path] = [program, "--port", f"127.0.0.1:{port}", "--region", REGION]
        env = {"ROOT_ACCESS_KEY": access, "ROOT_SECRET_KEY": secret}

        def launch() -> Process:
            return Process(
                [*command, "posix", "--sidecar", sidecar, root], log=base / "versitygw.log", env=env
            )

        server = S3Server(f"http://127.0.0.1:{port}", access, secret, root, launch)
        try:
            server.start()
            yield server
        finally:
            server.stop()


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
