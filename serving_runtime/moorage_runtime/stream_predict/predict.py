"""One predict call per model and batch; what a bad record breaks is told apart by halving.

The common batch, rows of one model in one form, is arranged whole. Anything else is arranged record by record, in
the same way as the server arranges a request, and joined again.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from moorage_runtime.models.base import Array, InputError, Inputs, Model, Outputs
from moorage_runtime.models.signature import arrange, rows_of
from moorage_runtime.stream_predict.decode import Request, read
from moorage_runtime.stream_predict.records import Failure

_EXACT = 2**53
"""Whole numbers beyond it change when they are put into one array with broken ones."""


@dataclass(slots=True)
class Answer:
    """Records of one successful call: `indices` into the batch, `bounds` their rows within inputs and outputs.

    Without `requests` each record is one row and answered by one value. The outputs of a single record may have
    any length: user code decides.
    """

    indices: Sequence[int]
    bounds: Sequence[int]
    inputs: Inputs
    outputs: Outputs
    requests: Sequence[Request] | None = None


def predict(
    values: Sequence[Any], indices: Sequence[int], model: Model, name: str, features: frozenset[str]
) -> tuple[list[Answer], dict[int, Failure]]:
    """Answers for the parsed records `values`, which have the places `indices` in the batch."""
    if model.stackable:
        matrix = _whole(values, model, features)
        if matrix is not None:
            call = _Call(matrix, range(len(values) + 1), indices, model.default_outputs, None)
            return _run(model, name, call)
    failures: dict[int, Failure] = {}
    alike: dict[Hashable, tuple[list[int], list[Request]]] = {}
    for index, value in zip(indices, values, strict=True):
        try:
            if isinstance(value, Failure):
                failures[index] = value
                continue
            request = read(value, model, name, features)
        except InputError as error:
            failures[index] = Failure("BadInput", str(error))
            continue
        key: Hashable = _key(request) if model.stackable else index
        places, requests = alike.setdefault(key, ([], []))
        places.append(index)
        requests.append(request)
    answers: list[Answer] = []
    for places, requests in alike.values():
        bounds = np.cumsum([0, *(request.rows for request in requests)]).tolist()
        joined = _joined([request.inputs for request in requests])
        found, failed = _run(model, name, _Call(joined, bounds, places, requests[0].outputs, requests))
        answers += found
        failures |= failed
    return answers, failures


@dataclass(slots=True)
class _Call:
    inputs: Inputs
    bounds: Sequence[int]
    indices: Sequence[int]
    outputs: tuple[str, ...]
    requests: Sequence[Request] | None

    def part(self, begin: int, end: int) -> "_Call":
        first, last = self.bounds[begin], self.bounds[end]
        return _Call(
            _rows(self.inputs, first, last),
            [bound - first for bound in self.bounds[begin : end + 1]],
            self.indices[begin:end],
            self.outputs,
            self.requests[begin:end] if self.requests is not None else None,
        )


def _run(model: Model, name: str, call: _Call) -> tuple[list[Answer], dict[int, Failure]]:
    """One call; where it fails, each half by itself, down to the record at fault."""
    count = len(call.indices)
    try:
        outputs = model.predict(call.inputs, call.outputs)
        rows = rows_of(call.inputs)
        if count > 1 and any(len(output) != rows for output in outputs.values()):
            raise ValueError(f"model {name} did not answer each of {rows} rows")  # noqa: TRY301
    except InputError as error:
        if count == 1:
            return [], {call.indices[0]: Failure("BadInput", str(error))}
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a model's code may raise anything
        if count == 1:
            text = f"model {name} failed: {type(error).__name__}: {error}"[:500]
            return [], {call.indices[0]: Failure("ModelFailed", text)}
    else:
        return [Answer(call.indices, call.bounds, call.inputs, outputs, call.requests)], {}
    half = count // 2
    answers, failures = _run(model, name, call.part(0, half))
    more, failed = _run(model, name, call.part(half, count))
    return answers + more, failures | failed


def _whole(values: Sequence[Any], model: Model, features: frozenset[str]) -> Inputs | None:
    """The inputs of a batch in which each record is one plain row of the same form; None for any other."""
    signature = model.signature
    kinds = {type(value) for value in values}
    if kinds == {dict} and features:
        inside = {type(cell) for row in values for cell in row.values()}
    elif kinds == {list} and (signature.matrix is not None or features) and len(signature.features) != 1:
        inside = {type(cell) for row in values for cell in row}
    else:
        return None
    if inside & {list, dict} or any(feature.shape for feature in signature.features):
        return None
    try:
        inputs = arrange(values, signature)
    except InputError:
        return None
    if rows_of(inputs) != len(values) or (isinstance(inputs, np.ndarray) and not _exact(inputs, inside)):
        return None
    return inputs


def _exact(matrix: Array, inside: set[type]) -> bool:
    """Whether joining rows cannot have changed a number: only whole ones beyond 2^53 among others can be."""
    if int not in inside or len(inside) == 1 or matrix.dtype.kind not in "iuf":
        return True
    return bool((np.abs(np.nan_to_num(matrix)) < _EXACT).all())


def _key(request: Request) -> Hashable:
    inputs = request.inputs
    if isinstance(inputs, np.ndarray):
        return (request.outputs, inputs.shape[1:], inputs.dtype)
    return (request.outputs, *((name, column.shape[1:], column.dtype) for name, column in inputs.items()))


def _joined(inputs: Sequence[Inputs]) -> Inputs:
    """All records' rows, one below the other."""
    first = inputs[0]
    if len(inputs) == 1:
        return first
    if isinstance(first, np.ndarray):
        return np.concatenate([each for each in inputs if isinstance(each, np.ndarray)])
    tables = [each for each in inputs if not isinstance(each, np.ndarray)]
    return {name: np.concatenate([table[name] for table in tables]) for name in first}


def _rows(inputs: Inputs, first: int, last: int) -> Inputs:
    if isinstance(inputs, np.ndarray):
        return inputs[first:last]
    return {name: column[first:last] for name, column in inputs.items()}
