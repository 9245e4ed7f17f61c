"""`moorage crds`."""

from pathlib import Path

import click

from moorage_operator.cli.examples import examples
from moorage_operator.cli.failure import Failure


@click.group()
def command() -> None:
    """Generate the CustomResourceDefinitions."""


@command.command(
    epilog=examples(
        "moorage crds generate | kubectl apply --server-side -f -",
        "moorage crds generate --output crds",
        "moorage crds generate --check crds",
    )
)
@click.option(
    "--output", type=click.Path(path_type=Path, file_okay=False), help="Write one file for each kind here."
)
@click.option(
    "--check", type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Write nothing; exit with 1 where this folder's files are not what would be generated.",
)  # fmt: skip
def generate(*, output: Path | None, check: Path | None) -> None:
    """Print the definitions, write them to a folder, or check a folder."""
    from moorage_api.crd import generate as generated

    files = generated()
    if check is not None:
        wrong = [name for name, text in files.items() if not _same(check / name, text)]
        if wrong:
            raise Failure(
                f"error: out of date in {check}: {', '.join(wrong)}; run moorage crds generate --output {check}"
            )
        click.echo(f"{len(files)} files of {check} are up to date")
    elif output is not None:
        output.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (output / name).write_text(text, encoding="utf-8")
            click.echo(output / name)
    else:
        click.echo("---\n".join(files.values()), nl=False)


def _same(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text
