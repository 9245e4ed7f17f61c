"""ONNX graphs, run by onnxruntime.

Names: a converter's `label` and `probabilities` (also `output_label`, `output_probability`) are served as
`predict` and `predict_proba`, as the estimator itself would be. Of any other graph the first output is `predict`,
and can also be asked for by its own name in its own shape; further outputs keep their names and are computed by
default, because graphs of several outputs are written to be read whole.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from moorage_runtime.config import ModelConfig
from moorage_runtime.models import manifest
from moorage_runtime.models.artifact import find, suffixes_of
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
from moorage_runtime.models.cpu import cpu_limit
from moorage_runtime.models.signature import rows_of, synthetic
from moorage_runtime.models.types import plain

_TYPES = {
    "tensor(float)": "f4",
    "tensor(double)": "f8",
    "tensor(float16)": "f2",
    "tensor(string)": "O",
    "tensor(bool)": "?",
    **{f"tensor(int{bits})": f"i{bits // 8}" for bits in (8, 16, 32, 64)},
    **{f"tensor(uint{bits})": f"u{bits // 8}" for bits in (8, 16, 32, 64)},
}
_LABELS = ("label", "output_label")
_PROBABILITIES = ("probabilities", "output_probability")


@dataclass(frozen=True, slots=True)
class Result:
    """How an output of the signature is read from the graph: its name there, and whether [rows, 1] becomes [rows]."""

    node: str
    squeeze: bool = False


@dataclass(slots=True)
class OnnxModel:
    """A session. `feeds` are the graph's inputs: feature name and shape; one matrix has one feed."""

    signature: Signature
    session: Any
    feeds: tuple[tuple[str, tuple[int, ...]], ...]
    results: Mapping[str, Result]
    default_outputs: tuple[str, ...]
    batch: int | None = None
    """Rows that the graph takes at a time, where that is fixed."""
    predictor: str = "onnxruntime"
    stackable: bool = True
    operations: Mapping[str, Operation] = field(default_factory=dict)

    def predict(self, inputs: Inputs, outputs: tuple[str, ...]) -> Outputs:
        """See Model."""
        rows = rows_of(inputs)
        if self.batch is None or rows == self.batch:
            return self._run(inputs, rows, outputs)
        if rows % self.batch:
            raise InputError(f"{rows} rows given, the model takes {self.batch} at a time")
        parts = [
            self._run(_rows(inputs, i, i + self.batch), self.batch, outputs)
            for i in range(0, rows, self.batch)
        ]
        return {name: np.concatenate([part[name] for part in parts]) for name in outputs}

    def _run(self, inputs: Inputs, rows: int, outputs: tuple[str, ...]) -> Outputs:
        from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidArgument

        if isinstance(inputs, np.ndarray):
            feed = {self.feeds[0][0]: inputs.reshape(rows, *inputs.shape[1:])}
        else:
            feed = {name: inputs[name].reshape(rows, *shape) for name, shape in self.feeds}
        nodes = list(dict.fromkeys(self.results[name].node for name in outputs))
        try:
            values = dict(zip(nodes, self.session.run(nodes, feed), strict=True))
        except (InvalidArgument, Fail) as error:
            raise InputError(_cause(error)) from None
        return {name: _read(values[self.results[name].node], self.results[name]) for name in outputs}


def _cause(error: Exception) -> str:
    """What a node said of the data; types and shapes were in order, so it is the values that it refuses."""
    text = str(error).rpartition("Status Message: ")[2].rpartition("[ONNXRuntimeError] : ")[2]
    return f"the graph refuses the input: {' '.join(text.split())}"[:400]


def load(path: Path, config: ModelConfig) -> Built:
    """Load a graph; LoadError names the file and the cause."""
    file = find(path, suffixes_of("onnx"))
    try:
        import onnxruntime
    except ImportError:
        raise LoadError("onnxruntime is not installed: install moorage[onnx]") from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = cpu_limit()
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # noqa: BLE001 - onnxruntime's classes of errors are private
        cause = str(error).rpartition(" : ")[2] or str(error)
        raise LoadError(f"{file.name}: is not an ONNX graph that onnxruntime can run: {cause}") from None
    return Built(build(session, config), class_name="InferenceSession")


def build(session: Any, config: ModelConfig) -> OnnxModel:
    """A model around a session; LoadError where the manifest contradicts the graph."""
    inputs = session.get_inputs()
    signature = _signature(inputs, config)
    results, own, default = _results(session.get_outputs())
    named, chosen = manifest.outputs(config, own)
    results = {output.tensor.name: results[output.own] for output in named}
    first = inputs[0].shape[0] if inputs[0].shape else None
    model = OnnxModel(
        replace(signature, outputs=tuple(output.tensor for output in named)),
        session,
        feeds=tuple((node.name, _row(node.shape, keep=True)) for node in inputs),
        results=results,
        default_outputs=chosen if config.outputs else default,
        batch=first if isinstance(first, int) and first > 0 else None,
    )
    return _measured(model)


def _signature(inputs: list[Any], config: ModelConfig) -> Signature:
    """One input of rank 2 is a matrix; several inputs, or one of rank 1, are columns of their names."""
    dtypes = [_dtype(node.type, f"input {node.name!r}") for node in inputs]
    rows = [_row(node.shape) for node in inputs]
    if len(inputs) == 1 and len(inputs[0].shape) == 2:
        width = _row(inputs[0].shape, keep=True)[0]
        listed = manifest.features(config, None, None if width < 0 else width)
        if listed is None and width < 0:
            return Signature((), (), dtypes[0])
        features = listed or tuple(Tensor(f"x{i}", dtypes[0]) for i in range(width))
        return Signature(features, (), dtypes[0])
    if len(inputs) == 1 and len(inputs[0].shape) > 2:
        listed = manifest.features(config, None, 1)
        name = listed[0].name if listed else inputs[0].name
        return Signature((Tensor(name, dtypes[0], rows[0]),), (), dtypes[0])
    manifest.features(config, [node.name for node in inputs], None)
    return Signature(
        tuple(Tensor(n.name, dtype, row) for n, dtype, row in zip(inputs, dtypes, rows, strict=True)),
        (),
        None,
    )


def _results(outputs: list[Any]) -> tuple[dict[str, Result], tuple[Tensor, ...], tuple[str, ...]]:
    """How each output is read, the signature's outputs, and those computed by default."""
    names = [node.name for node in outputs]
    if names[0] in _LABELS:
        results = {"predict": Result(names[0], squeeze=True)}
        for name in names[1:]:
            results["predict_proba" if name in _PROBABILITIES else name] = Result(name)
        default: tuple[str, ...] = ("predict",)
    else:
        results = {"predict": Result(names[0], squeeze=True)} | {name: Result(name) for name in names[1:]}
        default = tuple(results)
        results.setdefault(names[0], Result(names[0]))
    nodes = {node.name: node for node in outputs}
    return results, tuple(_tensor(name, nodes[r.node], r) for name, r in results.items()), default


def _tensor(name: str, node: Any, result: Result) -> Tensor:
    if node.type.startswith("seq(map("):
        return Tensor(name, np.dtype(np.float32), (-1,))
    row = _row(node.shape, keep=not result.squeeze)
    return Tensor(name, _dtype(node.type, f"output {node.name!r}"), row)


def _row(shape: list[Any], *, keep: bool = False) -> tuple[int, ...]:
    """Shape of one row, -1 where it varies; a single 1 is a scalar unless kept."""
    row = tuple(size if isinstance(size, int) and size >= 0 else -1 for size in shape[1:])
    return () if row == (1,) and not keep else row


def _dtype(name: str, what: str) -> np.dtype[Any]:
    try:
        return np.dtype(_TYPES[name])
    except KeyError:
        raise LoadError(f"{what} of the graph is a {name}, which cannot be served") from None


def _rows(inputs: Inputs, start: int, stop: int) -> Inputs:
    if isinstance(inputs, np.ndarray):
        return inputs[start:stop]
    return {name: values[start:stop] for name, values in inputs.items()}


def _read(value: Any, result: Result) -> Array:
    """An output as an array; ZipMap's list of {class: probability} as a matrix in the order of the classes."""
    if isinstance(value, list):
        keys = list(value[0])
        return np.array([[row[key] for key in keys] for row in value], dtype=np.float32)
    array = np.asarray(value)
    if array.dtype.kind in "US":
        array = array.astype(object)
    return array[:, 0] if result.squeeze and array.ndim == 2 and array.shape[1] == 1 else array


def _measured(model: OnnxModel) -> OnnxModel:
    """The outputs' shapes where the graph leaves them open, as a row of zeros gives them."""
    row = synthetic(model.signature)
    outputs = model.signature.outputs
    if row is None or model.batch not in (None, 1) or not any(-1 in tensor.shape for tensor in outputs):
        return model
    names = tuple(tensor.name for tensor in outputs)
    try:
        values = model.predict(row, names)
    except InputError:
        return model
    except Exception as error:  # noqa: BLE001 - whatever it is, the graph cannot be served
        raise LoadError(f"the graph fails on a row of zeros: {type(error).__name__}: {error}") from None
    measured = tuple(Tensor(name, plain(values[name].dtype), values[name].shape[1:]) for name in names)
    model.signature = replace(model.signature, outputs=measured)
    return model
