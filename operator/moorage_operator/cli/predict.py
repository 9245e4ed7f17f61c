"""`moorage predict`."""

import json
import shlex
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from moorage_operator.cli.bodies import DIALECTS, Dialect, rows_of
from moorage_operator.cli.completing import complete_servings
from moorage_operator.cli.examples import examples
from moorage_operator.cli.failure import Failure
from moorage_operator.cli.pods import resolve
from moorage_operator.cli.state import State, with_namespace, with_state
from moorage_operator.local.apiserver.objects import Object


@click.command(
    epilog=examples(
        "moorage predict iris --data '[[5.1, 3.5, 1.4, 0.2]]'",
        'moorage predict iris --data \'{"sepal_length": 5.1, "sepal_width": 3.5}\' --dialect v1',
        "moorage predict iris --model iris_dataset_v1 --data @rows.json --show-curl -o json",
    )
)
@click.argument("name", shell_complete=complete_servings)
@click.option("--model", help="Which of its models; may be left out where there is only one.")
@click.option(
    "--data", required=True, metavar="JSON|@FILE|-", help="A row, rows, or objects by feature name."
)
@click.option(
    "--dialect", type=click.Choice(sorted(DIALECTS)), default="v2", show_default=True, help="Protocol."
)
@click.option(
    "-o", "--output", type=click.Choice(["table", "json"]), default="table", help="json: the reply as it is."
)
@click.option("--show-curl", is_flag=True, help="Print the curl line that does the same, to stderr.")
@click.option("--timeout", default=60, show_default=True, help="Seconds to wait for the reply.")
@with_namespace
@with_state
def command(
    name: str,
    *,
    model: str | None,
    data: str,
    dialect: str,
    output: str,
    show_curl: bool,
    timeout: int,
    namespace: str,
    state: State,
) -> None:
    """Send rows to a ModelServing and print its predictions, a line for each row."""
    serving = resolve(state.store, namespace, [name], ("ModelServing",))
    url = (serving.get("status") or {}).get("url")
    if not url:
        raise Failure(f'error: modelserving "{name}" has no address yet: {_why(serving)}')
    chosen = DIALECTS[dialect]
    address = url + chosen.path.format(model=_model(serving, model))
    body = _body(data, chosen)
    if show_curl:
        words = ["curl", "-s", address, "-H", "content-type: application/json", "-d", body]
        click.echo(shlex.join(words), err=True)
    reply = _post(address, body.encode(), timeout)
    if output == "json":
        click.echo(json.dumps(reply, indent=2, ensure_ascii=False))
        return
    for prediction in _predictions(chosen, reply):
        click.echo(prediction if isinstance(prediction, str) else json.dumps(prediction, ensure_ascii=False))


def _body(data: str, dialect: Dialect) -> str:
    if data == "-":
        text = sys.stdin.read()
    elif data.startswith("@"):
        text = Path(data[1:]).read_text(encoding="utf-8")
    else:
        text = data
    try:
        return json.dumps(dialect.body(rows_of(json.loads(text))), ensure_ascii=False)
    except ValueError as error:
        raise Failure(f"error: --data: {error}") from None


def _model(serving: Object, asked: str | None) -> str:
    names = [model["name"] for model in serving["spec"]["models"]]
    if asked is not None and asked in names:
        return asked
    if asked is None and len(names) == 1:
        return str(names[0])
    problem = "has several models, choose one by --model" if asked is None else f'has no model "{asked}"'
    raise Failure(f'error: modelserving "{serving["metadata"]["name"]}" {problem}: {", ".join(names)}')


def _why(serving: Object) -> str:
    for condition in (serving.get("status") or {}).get("conditions") or ():
        if condition["type"] == "Ready":
            return f"{condition['reason']}: {condition.get('message', '')}"
    return "is `moorage up` running?"


def _post(address: str, body: bytes, timeout: int) -> Any:
    request = urllib.request.Request(address, body, {"content-type": "application/json"})  # noqa: S310 - http from a status
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=timeout) as response:
            return json.loads(response.read())
    except urllib.error.HTTPError as error:
        raise Failure(f"Error from server ({error.code} {error.reason}): {_message(error.read())}") from None
    except urllib.error.URLError as error:
        raise Failure(f"error: {address} does not answer: {error.reason}") from None
    except TimeoutError:
        raise Failure(f"error: {address} has not answered within {timeout} s") from None
    except ValueError as error:
        raise Failure(f"error: {address} answered no JSON: {error}") from None


def _message(body: bytes) -> str:
    try:
        parsed = json.loads(body)
        return str(parsed["error"])
    except (ValueError, KeyError, TypeError):
        return body.decode(errors="replace").strip()


def _predictions(dialect: Dialect, reply: Any) -> Sequence[Any]:
    try:
        return dialect.predictions(reply)
    except (KeyError, TypeError, IndexError):
        raise Failure(f"error: not a reply of this dialect: {json.dumps(reply)[:200]}") from None
