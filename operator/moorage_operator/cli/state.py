"""The folder in which a local Moorage lives, as every command sees it."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from moorage_operator.cli.failure import Failure
from moorage_operator.local.lock import holder
from moorage_operator.local.store import Store

DEFAULT = ".moorage"
OPTIONS = Path("run") / "up.json"
"""What `up` says of itself: pid, kafka, objectStore."""

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class State:
    """One state folder."""

    path: Path

    @cached_property
    def store(self) -> Store:
        """Its objects; Failure where nothing was ever started or applied here."""
        if not (self.path / "store").is_dir():
            raise Failure(
                f"error: there is no Moorage at {self.path}: start one by `moorage up`, "
                "or name its folder by --state or MOORAGE_STATE"
            )
        return Store(self.path / "store")

    @cached_property
    def new_store(self) -> Store:
        """Its objects; the folder is made if need be."""
        return Store(self.path / "store")

    def pid(self) -> int | None:
        """The process of the `moorage up` that runs here; None where none does."""
        return holder(self.path)

    def record(self, options: dict[str, Any]) -> None:
        """Keep what `moorage up` is started with; not where another one has the folder."""
        if self.pid() is not None:
            return
        path = self.path / OPTIONS
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".unfinished")
        unfinished.write_text(json.dumps(options), encoding="utf-8")
        unfinished.replace(path)

    def options(self) -> dict[str, Any]:
        """What the last `moorage up` was started with: kafka, objectStore."""
        try:
            said: dict[str, Any] = json.loads((self.path / OPTIONS).read_bytes())
        except (OSError, ValueError):
            return {}
        return said


def with_state(command: F) -> F:
    """Gives a command its `state` by --state."""

    @wraps(command)
    def wrapped(*args: Any, state: Path, **kwargs: Any) -> Any:
        return command(*args, state=State(state), **kwargs)

    option = click.option(
        "--state",
        type=click.Path(path_type=Path, file_okay=False),
        envvar="MOORAGE_STATE",
        default=DEFAULT,
        show_default=True,
        show_envvar=True,
        help="Folder of the local Moorage.",
    )
    return option(wrapped)  # type: ignore[return-value]


def with_namespace(command: F) -> F:
    """Gives a command its `namespace` by -n."""
    option = click.option(
        "-n", "--namespace", default="default", show_default=True, help="Namespace to look in."
    )
    return option(command)
