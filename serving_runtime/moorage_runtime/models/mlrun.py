"""A class written for MLRun's V2ModelServer, unchanged: constructed, called and asked as MLRun would.

MLRun's order of calls: the constructor with (context, name, model_path, **parameters), `load`, then for each
request preprocess, validate, predict, postprocess. A class that derives from nothing gets the attributes and
methods that V2ModelServer would have given it, where it does not have them itself.
"""

import inspect
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from moorage_runtime.config import ModelConfig
from moorage_runtime.models.base import Inputs, LoadError, Operation


class Logger:
    """MLRun's logger takes fields as keywords beside the message."""

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(f"moorage.model.{name}")

    def debug(self, message: str, *args: Any, **fields: Any) -> None:
        """For a developer."""
        self._log(logging.DEBUG, message, args, fields)

    def info(self, message: str, *args: Any, **fields: Any) -> None:
        """For everybody."""
        self._log(logging.INFO, message, args, fields)

    def warning(self, message: str, *args: Any, **fields: Any) -> None:
        """Something is doubtful."""
        self._log(logging.WARNING, message, args, fields)

    warn = warning

    def error(self, message: str, *args: Any, **fields: Any) -> None:
        """Something failed."""
        self._log(logging.ERROR, message, args, fields)

    exception = error

    def _log(self, level: int, message: str, args: tuple[Any, ...], fields: Mapping[str, Any]) -> None:
        suffix = "".join(f" {name}={value!r}" for name, value in fields.items())
        self._logger.log(level, "%s%s", str(message) % args if args else message, suffix)


class Context:
    """What a model's code asks of MLRun's context."""

    def __init__(self, name: str, parameters: Mapping[str, Any]) -> None:
        self.logger = Logger(name)
        self.name = name
        self.parameters = dict(parameters)
        self.verbose = False
        self.is_mock = False
        self.server = None
        self.stream = SimpleNamespace(enabled=False, output_stream=None)

    def get_param(self, key: str, default: Any = None) -> Any:
        """A parameter of the manifest."""
        return self.parameters.get(key, default)

    def get_secret(self, key: str) -> str | None:
        """A secret that the pod has as an environment variable."""
        return os.environ.get(key)


class MlrunServer:
    """An object of the class, with MLRun's order of calls around `predict`."""

    def __init__(self, cls: Any, path: Path, config: ModelConfig) -> None:
        self.name = config.name
        self._path = path
        context = Context(config.name, config.parameters)
        if cls.__init__ is object.__init__:
            self.instance: Any = cls()
        else:
            self.instance = cls(context, config.name, str(path), **config.parameters)
        self._equip(context, config)
        if hasattr(self.instance, "load"):
            self.instance.load()
        self.instance.ready = True

    def predict(self, inputs: Inputs) -> Any:
        """One request through preprocess, validate, predict and postprocess; the outputs."""
        request = self._prepared({"id": "", "model": self.name, "inputs": rows_as_lists(inputs)}, "infer")
        response = {"id": "", "model_name": self.name, "outputs": self.instance.predict(request)}
        return self._outputs(self._step("postprocess", response))

    def operations(self) -> dict[str, Operation]:
        """`explain`, where the class has its own, and every op_NAME, which gets an event with the body."""
        found: dict[str, Operation] = {}
        explain = getattr(type(self.instance), "explain", None)
        if callable(explain) and not explain.__module__.startswith("mlrun."):
            found["explain"] = self._explain
        for attribute in dir(self.instance):
            method = getattr(self.instance, attribute)
            if attribute.startswith("op_") and callable(method):
                found[attribute.removeprefix("op_")] = _with_event(method, attribute.removeprefix("op_"))
        return found

    def _explain(self, body: Mapping[str, Any]) -> Any:
        request = self._prepared({"id": "", "model": self.name, **body}, "explain")
        response = {"id": "", "model_name": self.name, "outputs": self.instance.explain(request)}
        return self._outputs(self._step("postprocess", response))

    def _prepared(self, request: dict[str, Any], operation: str) -> Any:
        return self._step("validate", self._step("preprocess", request, operation), operation)

    def _step(self, name: str, body: Any, *more: Any) -> Any:
        """The class's own step, which may or may not take the operation; without one the body stays."""
        step = getattr(self.instance, name, None)
        if step is None:
            return body
        parameters = inspect.signature(step).parameters.values()
        takes_all = any(p.kind is inspect.Parameter.VAR_POSITIONAL for p in parameters)
        return step(body, *(more if takes_all else more[: len(parameters) - 1]))

    @staticmethod
    def _outputs(response: Any) -> Any:
        return response["outputs"] if isinstance(response, Mapping) and "outputs" in response else response

    def _equip(self, context: Context, config: ModelConfig) -> None:
        """Attributes and methods of V2ModelServer that the instance lacks."""
        own = {
            "context": context,
            "name": config.name,
            "version": config.version or "",
            "model_path": str(self._path),
            "model": None,
            "metrics": {},
            "labels": {},
            "get_param": context.get_param,
            "get_model": self.get_model,
            "set_metric": lambda name, value: self.instance.metrics.update({name: value}),
            "logger": context.logger,
        }
        for name, value in own.items():
            if not hasattr(self.instance, name):
                setattr(self.instance, name, value)

    def get_model(self, suffix: str = "") -> tuple[str, dict[str, str]]:
        """Path of the model file, and the folder's other files by name. LoadError where no file has the suffix."""
        if self._path.is_file():
            return str(self._path), {}
        files = sorted(file for file in self._path.iterdir() if file.is_file())
        chosen = [file for file in files if file.name.endswith(suffix)] if suffix else files
        if not chosen:
            raise LoadError(f"folder {self._path.name}: holds no file that ends with {suffix!r}")
        return str(chosen[0]), {file.name: str(file) for file in files if file != chosen[0]}


def is_mlrun_shaped(cls: Any) -> bool:
    """Whether a class is to be run as MLRun runs it.

    That is one that derives from MLRun's, whose constructor takes `context` and `name`, or that has no constructor
    and whose predict takes a `request` or a `body`.
    """
    if any(base.__module__.startswith("mlrun.") for base in cls.__mro__):
        return True
    if cls.__init__ is not object.__init__:
        taken = inspect.signature(cls.__init__).parameters
        return "context" in taken and "name" in taken
    names = list(inspect.signature(cls.predict).parameters)
    return names[-1] in ("request", "body")


def rows_as_lists(inputs: Inputs) -> list[Any]:
    """Rows as the client would have sent them: lists, or values; columns as one object a row."""
    if isinstance(inputs, np.ndarray):
        return list(inputs.tolist())
    names = list(inputs)
    columns = [inputs[name].tolist() for name in names]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _with_event(method: Any, name: str) -> Operation:
    return lambda body: method(SimpleNamespace(body=dict(body), path=name, method="POST", id="", headers={}))
