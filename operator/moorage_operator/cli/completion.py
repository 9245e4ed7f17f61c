"""`moorage completion`."""

import click
from click.shell_completion import get_completion_class

from moorage_operator.cli.examples import examples


@click.command(
    epilog=examples(
        "source <(moorage completion bash)",
        "moorage completion fish > ~/.config/fish/completions/moorage.fish",
    )
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print a script that completes commands, types and names."""
    found = get_completion_class(shell)
    assert found is not None
    click.echo(found(ctx.find_root().command, {}, "moorage", "_MOORAGE_COMPLETE").source())
