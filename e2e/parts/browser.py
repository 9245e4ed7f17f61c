"""A real browser without a window, which loads a page of this machine and tells what came of it."""

import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from parts.base import need

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)


@dataclass(frozen=True, slots=True)
class Page:
    """The document after its scripts have run, and what the console said."""

    dom: str
    console: list[str]


def browse(page: Path, seconds: float = 60) -> Page:
    """Load a file in Chromium; Missing where there is none."""
    browser = need("chromium", "pages are tested in it")
    with tempfile.TemporaryDirectory(prefix="moorage-browser-") as profile:
        command = [browser, *FLAGS, f"--user-data-dir={profile}", "--enable-logging=stderr", "--dump-dom"]
        done = subprocess.run(
            [*command, page.as_uri()], capture_output=True, text=True, check=True, timeout=seconds
        )
    return Page(done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line])
