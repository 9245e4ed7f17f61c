"""`moorage`, the command line for people."""

from moorage_operator.cli.app import cli


def main() -> None:
    """The console script; ends the process with the command's exit code."""
    cli(prog_name="moorage")
