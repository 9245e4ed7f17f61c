"""What the shell offers for KIND and NAME."""

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


def complete_servings(ctx: click.Context, _: click.Parameter, beginning: str) -> list[str]:
    """Names of ModelServings."""
    return _names(ctx, "ModelServing", beginning)


def _names(ctx: click.Context, kind: str, beginning: str) -> list[str]:
    root = Path(ctx.params.get("state") or DEFAULT) / "store"
    found = Store(root).list(kind, ctx.params.get("namespace")) if root.is_dir() else []
    return [obj["metadata"]["name"] for obj in found if obj["metadata"]["name"].startswith(beginning)]
