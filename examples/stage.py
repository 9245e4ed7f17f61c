"""What every step of the demo is made of: say, run as a person would, look, check, wait."""

import json
import shlex
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
BIN = Path(sys.executable).parent
STATE = Path(".moorage/demo")
BOLD, GREEN, RED, DIM, PLAIN = (
    ("\033[1m", "\033[32m", "\033[31m", "\033[2m", "\033[0m") if sys.stdout.isatty() else ("",) * 5
)


class DemoError(Exception):
    """A step of the demo did not do what it shows."""


def say(title: str) -> None:
    """Announce a step."""
    print(f"\n{BOLD}── {title}{PLAIN}", flush=True)


def check(holds: bool, what: str) -> None:
    """Show that a claim holds, or end the demo."""
    if not holds:
        raise DemoError(what)
    print(f"{GREEN}✓{PLAIN} {what}", flush=True)


def run(*words: str, shown: bool = True, code: int = 0) -> str:
    """Run a command as a person would, show it with its output, and return that."""
    print(f"{DIM}${PLAIN} {shlex.join(words)}", flush=True)
    program = str(BIN / words[0]) if (BIN / words[0]).exists() else words[0]
    done = subprocess.run([program, *words[1:]], capture_output=True, text=True, check=False)
    if shown or done.returncode != code:
        print("\n".join(filter(None, (done.stderr.rstrip(), done.stdout.rstrip()))), flush=True)
    if done.returncode != code:
        raise DemoError(f"{words[0]} {words[1]} ended with exit code {done.returncode}, not {code}")
    return done.stdout


def curl(url: str, body: str) -> str:
    """POST as the curl line shown does; by Python itself where the machine has no curl."""
    words = ("curl", "-s", url, "-d", body)
    if shutil.which("curl"):
        return run(*words)
    print(f"{DIM}${PLAIN} {shlex.join(words)}", flush=True)
    with urllib.request.urlopen(url, body.encode(), timeout=30) as reply:
        text: str = reply.read().decode()
    print(text, flush=True)
    return text


def get(kind: str, name: str = "") -> dict[str, Any]:
    """An object, or all of a kind, as `moorage get -o json` shows it, without showing it."""
    command = [str(BIN / "moorage"), "get", *filter(None, (kind, name)), "-o", "json"]
    shown: dict[str, Any] = json.loads(
        subprocess.run(command, capture_output=True, text=True, check=True).stdout
    )
    return shown


def exists(name: str) -> bool:
    """Whether `moorage get` finds an object."""
    return subprocess.run([BIN / "moorage", "get", name], capture_output=True, check=False).returncode == 0


def condition(resource: dict[str, Any], kind: str) -> dict[str, Any]:
    """One of an object's conditions; empty where it has none of that type."""
    return next((c for c in resource.get("status", {}).get("conditions", []) if c["type"] == kind), {})


def until(holds: Callable[[], bool], what: str, seconds: float = 60) -> None:
    """Wait for something to become so."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise DemoError(f"within {seconds:.0f} s it did not come about that {what}")
        time.sleep(0.1)
