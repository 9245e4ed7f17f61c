"""The folder in which a local Moorage lives, as every command sees it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from moorage_operator.cli.failure import Failure
from moorage_operator.local.apiserver.store import Store
from moorage_operator.local.lock import holder
from moorage_operator.local.options import Options, options

DEFAULT = ".moorage"

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class State:
    """One state folder."""

    path: Path

    def exists(self) -> bool:
        """Whether anything was ever started or applied here."""
        return (self.path / "store").is_dir()

    @cached_property
    def store(self) -> Store:
        """Its objects; Failure where there are none."""
        if not self.exists():
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

    def say_if_still(self) -> None:
        """Tell a person where nothing runs that would keep statuses true."""
        if self.pid() is None:
            click.echo(f"(no `moorage up` runs for {self.path}: this is how it was left)", err=True)

    def options(self) -> Options:
        """What the last `moorage up` was started with: kafka, objectStore."""
        return options(self.path)


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
