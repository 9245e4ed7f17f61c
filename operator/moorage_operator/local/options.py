"""What a `moorage up` was started with, kept where other commands look for it."""

import json
from pathlib import Path
from typing import TypedDict

FILE = Path("run") / "up.json"


class Options(TypedDict, total=False):
    """A real broker (HOST:PORT) and object store (URI) in place of the state's folders; None where there is none."""

    kafka: str | None
    objectStore: str | None


def write(state: Path, options: Options) -> None:
    """Keep the options; only by who holds the state folder's lock."""
    path = state / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text(json.dumps(options), encoding="utf-8")
    unfinished.replace(path)


def options(state: Path) -> Options:
    """What the last `moorage up` was started with; empty where there was none."""
    try:
        said: Options = json.loads((state / FILE).read_bytes())
    except (OSError, ValueError):
        return {}
    return said
