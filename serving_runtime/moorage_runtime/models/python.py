"""User classes: plain ones with `load` and `predict`, and ones written for MLRun's V2ModelServer.

`pythonClass: MODULE:CLASS` names the class; `code` brings the module, unless the image has it.
"""

import contextlib
import importlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from moorage_runtime.config import ModelConfig
from moorage_runtime.models import manifest
from moorage_runtime.models.base import (
    Array,
    InputError,
    Inputs,
    LoadError,
    Operation,
    Outputs,
    Signature,
    Tensor,
)
from moorage_runtime.models.built import Built
from moorage_runtime.models.mlrun import MlrunServer, is_mlrun_shaped

PREDICT = "predict"
"""The prediction's name besides the manifest's: clients need not know the manifest."""
_ANYTHING = Tensor(PREDICT, np.dtype(object))


@dataclass(slots=True)
class PythonModel:
    """A user's object behind the interface. ValueError from its code is the caller's fault."""

    signature: Signature
    call: Callable[[Inputs], Any]
    default_outputs: tuple[str, ...]
    operations: Mapping[str, Operation]
    predictor: str = "python"
    stackable: bool = False

    def predict(self, inputs: Inputs, outputs: tuple[str, ...]) -> Outputs:
        """See Model. Outputs that the class returns beyond those asked for are dropped."""
        try:
            result = self.call(inputs)
        except ValueError as error:
            raise InputError(" ".join(str(error).split())[:400] or "the model refuses the input") from error
        first = self.default_outputs[0]
        returned = {**result} if isinstance(result, Mapping) else {first: result}
        if first in returned:
            returned.setdefault(PREDICT, returned[first])
        missing = [name for name in outputs if name not in returned]
        if missing:
            raise RuntimeError(
                f"the model's class returned no {missing[0]!r}, but {', '.join(map(str, returned))}"
            )
        return {name: as_array(returned[name]) for name in outputs}


class PlainServer:
    """An object of a plain class: `predict` takes a matrix, a dict of columns, or a list of rows without a schema."""

    def __init__(self, cls: type, path: Path, config: ModelConfig) -> None:
        self.instance = cls(**config.parameters)
        load = getattr(self.instance, "load", None)
        if load is not None:
            if _positional(load):
                load(str(path))
            else:
                load()

    def predict(self, inputs: Inputs) -> Any:
        """What the class answers."""
        return self.instance.predict(as_user_sees(inputs))

    def operations(self) -> dict[str, Operation]:
        """`explain` takes the rows of the request; op_NAME its body."""
        found: dict[str, Operation] = {
            name.removeprefix("op_"): getattr(self.instance, name)
            for name in dir(self.instance)
            if name.startswith("op_") and callable(getattr(self.instance, name))
        }
        explain = getattr(self.instance, "explain", None)
        if callable(explain):
            found["explain"] = lambda body: explain(body.get("inputs", body.get("instances")))
        return found


def load(path: Path, config: ModelConfig) -> Built:
    """Import and start the class; LoadError says what it lacks."""
    cls = _import(config)
    if not callable(getattr(cls, "predict", None)):
        raise LoadError(f"class {cls.__name__} has no method predict")
    try:
        server = MlrunServer(cls, path, config) if is_mlrun_shaped(cls) else PlainServer(cls, path, config)
    except LoadError:
        raise
    except ImportError as error:
        raise LoadError(_import_fault(cls.__module__, error)) from None
    except Exception as error:
        raise LoadError(f"class {cls.__name__} fails to load: {type(error).__name__}: {error}") from error
    listed = manifest.features(config, None, None)
    named = manifest.convert(config.outputs, "outputs") if config.outputs else (_ANYTHING,)
    alias = () if any(tensor.name == PREDICT for tensor in named) else (replace(named[0], name=PREDICT),)
    matrix = manifest.matrix_type(listed) if listed else None
    model = PythonModel(
        Signature(listed or (), (*named, *alias), matrix),
        server.predict,
        default_outputs=tuple(tensor.name for tensor in named),
        operations=server.operations(),
    )
    return Built(model, class_name=cls.__name__)


def as_user_sees(inputs: Inputs) -> Any:
    """Rows without a schema are the list that the client sent; all else is arrays."""
    if isinstance(inputs, np.ndarray):
        return inputs.tolist() if inputs.dtype.kind == "O" and inputs.ndim == 1 else inputs
    return dict(inputs)


def as_array(value: Any) -> Array:
    """A class's answer as an array of one element a row; what is no number stays as it is, as objects."""
    if hasattr(value, "to_numpy"):
        value = value.to_numpy()
    if isinstance(value, np.ndarray):
        array = value[None] if value.ndim == 0 else value
        return array.astype(object) if array.dtype.kind in "US" else array
    rows = list(value) if isinstance(value, list | tuple) else [value]
    with contextlib.suppress(ValueError):
        numbers = np.array(rows)
        if rows and numbers.dtype.kind in "biuf":
            return numbers
    objects = np.empty(len(rows), dtype=object)
    objects[:] = rows
    return objects


def _import(config: ModelConfig) -> type:
    if not config.python_class:
        raise LoadError("framework python needs pythonClass: MODULE:CLASS")
    module_name, separator, class_name = config.python_class.replace(":", ".").rpartition(".")
    if not separator:
        raise LoadError(f"pythonClass {config.python_class!r} names no module: MODULE:CLASS is needed")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise LoadError(_import_fault(module_name, error)) from None
    except Exception as error:
        raise LoadError(f"importing {module_name} fails: {type(error).__name__}: {error}") from error
    cls = getattr(module, class_name, None)
    if not isinstance(cls, type):
        raise LoadError(f"module {module_name} has no class {class_name!r}")
    return cls


def _import_fault(module: str, error: ImportError) -> str:
    missing = error.name or str(error)
    if missing.partition(".")[0] == "mlrun":
        return f"{module} imports mlrun, which this image lacks: use an image that has it, or drop the import"
    if missing == module or module.startswith(f"{missing}."):
        return f"there is no module {module!r}: give its code by `code`, or an image that has it"
    return f"{module} imports {missing!r}, which this image lacks ({error})"


def _positional(method: Any) -> int:
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(p.kind in kinds for p in inspect.signature(method).parameters.values())
