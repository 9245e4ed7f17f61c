"""A real S3 server over a folder: versitygw, built once from its own Go module.

Object storage is only tested where requests are signed, listed in pages and refused by somebody else's code.
"""

import secrets
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from parts.base import Process, cached, free_port, need

RECIPE = Path(__file__).parent / "s3"
COMMAND = "github.com/versity/versitygw/cmd/versitygw"
REGION = "us-east-1"


@dataclass(frozen=True)
class S3Server:
    """A running server; `root` holds a folder per bucket, a file per object."""

    endpoint: str
    access_key: str
    secret_key: str
    root: Path
    region: str = REGION

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
        with Process(
            [*command, "posix", "--sidecar", sidecar, root],
            log=base / "versitygw.log",
            env={"ROOT_ACCESS_KEY": access, "ROOT_SECRET_KEY": secret},
        ) as server:
            server.wait_until(lambda: _listens(port), "the S3 server's port")
            yield S3Server(f"http://127.0.0.1:{port}", access, secret, root)


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
