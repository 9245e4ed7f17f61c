"""The commands of `moorage`; each is imported only when it is used, so that every one starts fast."""

from importlib import import_module
from typing import Any

import click

from moorage_operator.cli.examples import examples
from moorage_operator.cli.failure import as_failure

COMMANDS = {
    "up": "Run everything that is applied, on this machine.",
    "down": "Stop a running `moorage up`.",
    "apply": "Create or change objects from manifests.",
    "get": "List objects.",
    "describe": "Show one object with its models, drift, conditions and events.",
    "wait": "Wait for a condition of objects.",
    "delete": "Delete objects and what was made for them.",
    "logs": "Print what pods wrote.",
    "predict": "Send rows to a ModelServing.",
    "events": "Show captured predictions of a ModelServing.",
    "topic": "Write messages to a topic, and read them.",
    "plan": "Print the objects that manifests lead to.",
    "runtimes": "List what can be served: the catalogue.",
    "crds": "Generate the CustomResourceDefinitions.",
    "completion": "Print a script that completes commands in a shell.",
    "version": "Print the version.",
}
"""Command to its line of help; each is `command` of the module of its name."""


class _Commands(click.Group):
    """Imports commands on demand and ends every error as one message."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - the base class' signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"moorage_operator.cli.{cmd_name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise click.exceptions.Exit(130) from None
        except Exception as error:
            failure = as_failure(error)
            if failure is error:
                raise
            raise failure from None


@click.group(
    cls=_Commands,
    epilog=examples(
        "moorage up -f examples/iris/manifests   # in a terminal of its own",
        "moorage wait --for=condition=Ready mserve/iris",
        "moorage predict iris --data '[[5.1, 3.5, 1.4, 0.2]]'",
    ),
    context_settings={"help_option_names": ["-h", "--help"]},
)
def cli() -> None:
    """Serve, test and watch machine-learning models by manifest, on this machine.

    Commands and manifests are those of kubectl; `moorage up` takes the cluster's place.
    """
