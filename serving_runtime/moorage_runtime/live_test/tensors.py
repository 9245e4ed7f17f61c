"""Records as tensors of the Open Inference Protocol, after the names and types of the model's own metadata."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from moorage_runtime.live_test.dataset import Sample, missing
from moorage_runtime.live_test.fault import TestFault

GENERIC = "input-0"
"""Name of the matrix that is sent where the metadata names no input."""


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """An input or output as metadata describes it; the first dimension counts rows, -1 is any size."""

    name: str
    datatype: str
    shape: tuple[int, ...]

    @property
    def width(self) -> int | None:
        """Values a row, or None where the metadata leaves it open."""
        inner = self.shape[1:]
        return None if any(size < 0 for size in inner) else math.prod(inner)


@dataclass(frozen=True, slots=True)
class Served:
    """What the server says of the live model."""

    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()
    versions: tuple[str, ...] = ()
    platform: str | None = None
    digest: str | None = None
    revision: str | None = None

    @property
    def identity(self) -> dict[str, str | None]:
        """What has to stay the same during a run."""
        return {
            "version": ", ".join(self.versions) or None,
            "digest": self.digest,
            "revision": self.revision,
        }


def served(document: dict[str, Any]) -> Served:
    """Read a metadata document; absent and null keys are the same, as peers differ in them."""
    parameters = document.get("parameters") or {}
    return Served(
        inputs=tuple(_spec(item) for item in document.get("inputs") or ()),
        outputs=tuple(_spec(item) for item in document.get("outputs") or ()),
        versions=tuple(str(version) for version in document.get("versions") or ()),
        platform=document.get("platform"),
        digest=parameters.get("digest") or None,
        revision=parameters.get("revision") or None,
    )


def _spec(item: dict[str, Any]) -> TensorSpec:
    shape = tuple(int(size) for size in item.get("shape") or (-1,))
    return TensorSpec(str(item["name"]), str(item.get("datatype") or "FP64"), shape)


def inputs(sample: Sample, model: Served, records: Sequence[int]) -> list[dict[str, Any]]:
    """The `inputs` of a request for these records of the sample (positions, not row numbers).

    Named inputs take the columns of their names and ignore others. A single input with another name is a matrix
    of all columns, in the data set's order. Without metadata the same matrix is sent as FP64, or one tensor a
    column where some are not numbers. Raises TestFault naming the column.
    """
    if len(model.inputs) == 1 and model.inputs[0].name not in sample.columns:
        return [_matrix(sample, model.inputs[0], records)]
    if model.inputs:
        absent = [spec.name for spec in model.inputs if spec.name not in sample.columns]
        if absent:
            raise TestFault(
                f"dataset.uri: the model's features {', '.join(absent)} are no columns of the data set, which has: "
                f"{', '.join(sample.columns)}"
            )
        return [_column(sample, spec, records) for spec in model.inputs]
    kinds = {name: _datatype(values) for name, values in sample.columns.items()}
    if all(kind != "BYTES" for kind in kinds.values()):
        return [_matrix(sample, TensorSpec(GENERIC, "FP64", (-1, len(kinds))), records)]
    return [_column(sample, TensorSpec(name, kind, (-1,)), records) for name, kind in kinds.items()]


def tails(sample: Sample, model: Served) -> list[bytes]:
    """For each record the JSON of a request after its id: all that can be encoded before the clock runs."""
    return [
        orjson.dumps({"inputs": inputs(sample, model, [record])}, option=orjson.OPT_SERIALIZE_NUMPY)[1:]
        for record in range(len(sample))
    ]


def _matrix(sample: Sample, spec: TensorSpec, records: Sequence[int]) -> dict[str, Any]:
    width = len(sample.columns)
    if spec.width is not None and len(spec.shape) > 1 and spec.width != width:
        raise TestFault(
            f"dataset.uri: the model takes {spec.width} features, the data set has {width} columns beside the label: "
            f"{', '.join(sample.columns)}"
        )
    data = [
        value(values[record], spec.datatype, name, sample.rows[record])
        for record in records
        for name, values in sample.columns.items()
    ]
    return {"name": spec.name, "datatype": spec.datatype, "shape": [len(records), width], "data": data}


def _column(sample: Sample, spec: TensorSpec, records: Sequence[int]) -> dict[str, Any]:
    data: list[Any] = []
    for record in records:
        cell = sample.columns[spec.name][record]
        cells = cell if isinstance(cell, list) else [cell]
        data.extend(value(item, spec.datatype, spec.name, sample.rows[record]) for item in cells)
    inner = [len(data) // len(records) if size < 0 else size for size in spec.shape[1:]]
    return {"name": spec.name, "datatype": spec.datatype, "shape": [len(records), *inner], "data": data}


def _datatype(values: list[Any]) -> str:
    """The type of a column without metadata: FP64 for numbers and booleans, BYTES for all else."""
    return (
        "FP64" if all(missing(item) or isinstance(item, (bool, int, float)) for item in values) else "BYTES"
    )


def value(cell: Any, datatype: str, column: str, row: int) -> Any:
    """A cell as JSON has it for this datatype; a missing one is null. Raises TestFault naming column and row."""
    if missing(cell):
        return None
    try:
        if datatype.startswith(("FP", "BF")):
            return float(cell)
        if datatype.startswith(("INT", "UINT")):
            return _whole(cell)
        if datatype == "BOOL":
            return {"0": False, "1": True, "false": False, "true": True}[str(cell).lower()]
    except (KeyError, TypeError, ValueError):
        raise TestFault(
            f"dataset.uri: column {column!r}, row {row}: {cell!r} is not {datatype}, the type that the model takes"
        ) from None
    return str(cell)


def _whole(cell: Any) -> int:
    """The cell as an integer, where it is one: 3, 3.0, True, "3"."""
    if isinstance(cell, float) and not cell.is_integer():
        raise ValueError(cell)
    return int(cell)
