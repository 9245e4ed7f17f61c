"""What the shell offers for KIND and NAME."""

from collections.abc import Callable
from pathlib import Path

import click

from moorage_operator.cli import resources
from moorage_operator.cli.state import DEFAULT
from moorage_operator.local.apiserver.store import Store


def complete_objects(ctx: click.Context, _: click.Parameter, beginning: str) -> list[str]:
    """Types for the first word, names of that type for the next."""
    words = ctx.params.get("words") or ()
    if not words:
        return list(resources.completions(beginning))
    return _names(ctx, resources.find(words[0])[0].kind, beginning)


def completer(*kinds: str) -> Callable[[click.Context, click.Parameter, str], list[str]]:
    """Offers names of these kinds."""

    def complete(ctx: click.Context, _: click.Parameter, beginning: str) -> list[str]:
        return [name for kind in kinds for name in _names(ctx, kind, beginning)]

    return complete


complete_servings = completer("ModelServing")


def _names(ctx: click.Context, kind: str, beginning: str) -> list[str]:
    root = Path(ctx.params.get("state") or DEFAULT) / "store"
    found = Store(root).list(kind, ctx.params.get("namespace")) if root.is_dir() else []
    return [obj["metadata"]["name"] for obj in found if obj["metadata"]["name"].startswith(beginning)]
