"""`moorage version`."""

import platform
from importlib.metadata import version

import click

from moorage_api import API_VERSION


@click.command()
def command() -> None:
    """Print the version."""
    click.echo(f"moorage {version('moorage')} (API {API_VERSION}, Python {platform.python_version()})")
