"""`moorage-runtime`: what runs inside a pod, and by hand. One subcommand per role."""

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from moorage_runtime.config import (
    BatchPredictConfig,
    Config,
    DriftConfig,
    ServeConfig,
    StreamPredictConfig,
    TestConfig,
)

USAGE = 2
C = TypeVar("C", bound=Config)
_ENVIRONMENT = """\
environment, as MLRun's serving functions had it:
  SERVING_MODEL_<name>=<path or URI>  a model to serve
  MODEL_CLASS, SERVING_PARAMS         its class and parameters
  INFERENCE_STREAM=<path or URI>      where requests are captured to, kafka://HOST:PORT/TOPIC or a folder
  INFERENCE_STREAM_SAMPLE=N           capture one request in N
  INFERENCE_STREAM_FORMAT=FORMAT      native (default), mlrun-v1, mlrun-v2 or cloudevents
"""


class BadConfigError(Exception):
    """The configuration cannot be used; one line says why."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a role; the exit code: 2 for usage or configuration, otherwise the role's own."""
    arguments = _parser().parse_args(argv)
    run: Callable[[argparse.Namespace], int] = arguments.run
    try:
        return run(arguments)
    except BadConfigError as error:
        print(f"moorage-runtime: {error}", file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="moorage-runtime", description="Serve, test and watch models in a pod."
    )
    parser.add_argument("--version", action="version", version=f"moorage-runtime {version('moorage')}")
    roles = parser.add_subparsers(title="roles", required=True, metavar="ROLE")
    serve = roles.add_parser(
        "serve",
        help="answer predictions over HTTP",
        description="Answer predictions over HTTP.",
        epilog=_ENVIRONMENT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    serve.add_argument("--config", type=Path, metavar="FILE", help="a ServeConfig as JSON")
    serve.add_argument("--host", help="address to listen on")
    serve.add_argument("--port", type=int, help="port of predictions (8080)")
    serve.add_argument("--management-port", type=int, help="port of probes, metrics and status (8082)")
    serve.set_defaults(run=_serve)
    test = roles.add_parser(
        "test",
        help="send held-out records to an endpoint and judge its answers",
        description="Run a live test.",
    )
    test.add_argument("--config", type=Path, metavar="FILE", required=True, help="a TestConfig as JSON")
    test.set_defaults(run=_test)
    for name, run, kind, what in (
        ("stream", _stream, "StreamPredictConfig", "predict from a topic to a topic"),
        ("batch", _batch, "BatchPredictConfig", "predict over a data set"),
        ("drift", _drift, "DriftConfig", "watch captured events for drift"),
    ):
        role = roles.add_parser(name, help=what, description=f"{what.capitalize()}.")
        role.add_argument("--config", type=Path, metavar="FILE", required=True, help=f"a {kind} as JSON")
        role.set_defaults(run=run)
    return parser


def _serve(arguments: argparse.Namespace) -> int:
    config = serve_config(
        arguments.config, os.environ, arguments.host, arguments.port, arguments.management_port
    )
    from moorage_runtime import http

    return http.main(config)


def _test(arguments: argparse.Namespace) -> int:
    config = _read(arguments.config, TestConfig)
    from moorage_runtime import live_test

    return live_test.main(config)


def _stream(arguments: argparse.Namespace) -> int:
    config = _read(arguments.config, StreamPredictConfig)
    from moorage_runtime import stream_predict

    return stream_predict.main(config)


def _batch(arguments: argparse.Namespace) -> int:
    config = _read(arguments.config, BatchPredictConfig)
    from moorage_runtime import batch_predict

    return batch_predict.main(config)


def _drift(arguments: argparse.Namespace) -> int:
    config = _read(arguments.config, DriftConfig)
    from moorage_runtime import drift

    return drift.main(config)


def serve_config(
    file: Path | None,
    env: Mapping[str, str],
    host: str | None = None,
    port: int | None = None,
    management_port: int | None = None,
) -> ServeConfig:
    """The file's config, completed by the environment, with the command line's addresses. Raises BadConfigError."""
    from moorage_runtime.models.environment import capture_from_environment, models_from_environment

    config = _read(file, ServeConfig) if file else ServeConfig(models=[])
    try:
        more, capture = models_from_environment(env), capture_from_environment(env)
    except ValueError as error:
        raise BadConfigError(str(error)) from None
    known = {model.name for model in config.models}
    for model in more:
        if model.name in known:
            raise BadConfigError(
                f"model {model.name} is in {file} and in SERVING_MODEL_{model.name}: remove one"
            )
    models = [*config.models, *more]
    if not models:
        raise BadConfigError("no model to serve: give --config FILE or SERVING_MODEL_<name>=<path>")
    for number in (port, management_port):
        if number is not None and not 0 <= number < 65536:
            raise BadConfigError(f"{number} is no port")
    address = {"host": host, "port": port}
    changes = {name: value for name, value in address.items() if value is not None}
    http = config.http.model_copy(update=changes)
    management = config.management_port if management_port is None else management_port
    if management and management == http.port:
        raise BadConfigError(f"port {management} cannot be both that of predictions and the management port")
    return config.model_copy(
        update={
            "models": models,
            "capture": config.capture or capture,
            "http": http,
            "management_port": management,
        }
    )


def _read(file: Path, kind: type[C]) -> C:
    try:
        return kind.model_validate_json(file.read_bytes())
    except OSError as error:
        raise BadConfigError(f"{file}: {error.strerror}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadConfigError(
            f"{file}: {where}: {first['msg']}" if where else f"{file}: {first['msg']}"
        ) from None


if __name__ == "__main__":
    sys.exit(main())
