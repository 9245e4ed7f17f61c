"""From what a client sent to what a model takes, and the errors that name the row and the feature at fault.

Rows come as JSON does: lists in the signature's order, objects by feature name (of scalars, or of lists: several
rows by column), bare values for a model of one feature. Columns come as name to list or array, a matrix as an
array. The fast path is a clean list of lists; a search for the culprit starts only once something is wrong.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from moorage_runtime.config import TensorConfig
from moorage_runtime.models.base import Array, Columns, InputError, Inputs, Signature, Tensor
from moorage_runtime.models.cells import column, matrix_of
from moorage_runtime.models.types import dtype_of_api


def tensors(configs: Sequence[TensorConfig]) -> tuple[Tensor, ...]:
    """The manifest's columns as tensors; ValueError names an unknown type."""
    return tuple(Tensor(c.name, dtype_of_api(c.type), tuple(c.shape or ())) for c in configs)


def row_shape(signature: Signature) -> tuple[int, ...] | None:
    """Shape of one row of the matrix, -1 for a variable dimension; None where the signature does not say."""
    features = signature.features
    if not features:
        return None
    return features[0].shape if len(features) == 1 and features[0].shape else (len(features),)


def arrange(data: object, signature: Signature) -> Inputs:
    """Rows, columns or an array as the model's inputs.

    `data` is a list of rows, a mapping of columns, or an array (a matrix, or one row per element). A null
    becomes NaN in a feature of a float type and is refused in others. Without features and matrix, rows are
    passed on untouched, as an object array of shape (rows,). Raises InputError.
    """
    if isinstance(data, np.ndarray):
        return _from_array(data, signature)
    if isinstance(data, Mapping):
        return _from_columns(data, signature)
    if not isinstance(data, list | tuple):
        raise InputError(f"a list of rows is needed, not {_kind(data)}")
    if not data:
        raise InputError("no rows")
    if isinstance(data[0], Mapping):
        if signature.features:
            matrix = _quick(data, signature)
            return _from_columns(_by_name(data, signature), signature) if matrix is None else matrix
        if signature.matrix is not None:
            raise InputError("the model does not know its features' names; send each row as a list")
    return _from_rows(data, signature)


def rows_of(inputs: Inputs) -> int:
    """Number of rows."""
    return len(inputs) if isinstance(inputs, np.ndarray) else len(next(iter(inputs.values())))


def synthetic(signature: Signature) -> Inputs | None:
    """One row of zeros and empty strings for warming up; None where the signature does not allow it."""
    shape = row_shape(signature)
    if shape is None:
        return None
    if signature.matrix is not None:
        return _blank(signature.matrix, shape)
    return {f.name: _blank(f.dtype, f.shape) for f in signature.features}


def _blank(dtype: np.dtype[Any], shape: tuple[int, ...]) -> Array:
    filled = tuple(1 if size < 0 else size for size in shape)
    return np.full((1, *filled), "" if dtype.kind == "O" else 0, dtype=dtype)


def _from_rows(rows: Sequence[Any], signature: Signature) -> Inputs:
    if signature.matrix is not None:
        shape, one = row_shape(signature), len(signature.features) == 1
        if one and shape == (1,) and not isinstance(rows[0], list | tuple):
            rows = [[value] for value in rows]
        return matrix_of(rows, signature.matrix, shape, [f.name for f in signature.features])
    if not signature.features:
        untouched = np.empty(len(rows), dtype=object)
        untouched[:] = rows
        return untouched
    names = [f.name for f in signature.features]
    if len(names) == 1 and not (isinstance(rows[0], list | tuple) and not signature.features[0].shape):
        return _from_columns({names[0]: rows}, signature)
    for number, row in enumerate(rows):
        if not isinstance(row, list | tuple):
            raise InputError(f"row {number}: a list of {len(names)} values is needed, not {_kind(row)}")
        if len(row) != len(names):
            raise InputError(f"row {number}: {len(row)} values, the model takes {len(names)}")
    return _from_columns(dict(zip(names, zip(*rows, strict=True), strict=True)), signature)


def _quick(rows: Sequence[Any], signature: Signature) -> Array | None:
    """Objects of numbers as a matrix; None where there is more to them, or something is wrong."""
    names = [f.name for f in signature.features]
    if signature.matrix is None or any(f.shape for f in signature.features):
        return None
    try:
        lists = [[row[name] for name in names] for row in rows if len(row) == len(names)]
        if len(lists) == len(rows):
            return matrix_of(lists, signature.matrix, (len(names),), names)
    except (InputError, LookupError, TypeError):
        return None
    return None


def _by_name(rows: Sequence[Any], signature: Signature) -> Mapping[str, Any]:
    """Rows that are objects, as columns; an object of lists stands for as many rows as its lists have."""
    names = [f.name for f in signature.features]
    columns: dict[str, list[Any]] = {name: [] for name in names}
    nested = {f.name for f in signature.features if f.shape}
    for number, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise InputError(f"row {number}: an object like the rows before is needed, not {_kind(row)}")
        _same_names(row, names, f"row {number}: ")
        spread = [name not in nested and isinstance(row[name], list | tuple) for name in names]
        if not any(spread):
            for name in names:
                columns[name].append(row[name])
            continue
        lengths = {len(row[name]) if wide else 1 for name, wide in zip(names, spread, strict=True)}
        if not all(spread) or len(lengths) != 1:
            raise InputError(f"row {number}: its lists must all have the same length")
        for name in names:
            columns[name].extend(row[name])
    return columns


def _from_columns(data: Mapping[str, Any], signature: Signature) -> Inputs:
    if not signature.features:
        if signature.matrix is not None and len(data) != 1:
            raise InputError("the model does not know its features' names; send one matrix")
        loose: dict[str, Array] = {str(name): np.asarray(values) for name, values in data.items()}
        if signature.matrix is not None:
            return _from_array(next(iter(loose.values())), signature)
        return loose
    _same_names(data, [f.name for f in signature.features], "")
    if not any(isinstance(value, list | tuple | np.ndarray) for value in data.values()):
        data = {name: [value] for name, value in data.items()}
    dtype = signature.matrix
    columns = {
        f.name: column(
            data[f.name], Tensor(f.name, f.dtype if dtype is None or dtype.kind == "O" else dtype, f.shape)
        )
        for f in signature.features
    }
    _same_length(columns)
    if dtype is None:
        return columns
    if len(signature.features) == 1 and signature.features[0].shape:
        return next(iter(columns.values()))
    return np.stack([columns[f.name] for f in signature.features], axis=1).astype(dtype, copy=False)


def _from_array(data: Array, signature: Signature) -> Inputs:
    shape = row_shape(signature)
    if data.ndim == 0 or not len(data):
        raise InputError("no rows")
    if signature.matrix is None:
        if shape is None:
            return data
        if len(signature.features) == 1:
            return _from_columns({signature.features[0].name: data}, signature)
        if data.ndim != 2 or data.shape[1] != len(signature.features):
            raise InputError(
                f"shape {list(data.shape)} given, the model takes [rows, {len(signature.features)}]"
            )
        return _from_columns({f.name: data[:, i] for i, f in enumerate(signature.features)}, signature)
    if data.ndim == 1 and shape == (1,):
        data = data[:, None]
    return matrix_of(data, signature.matrix, shape, [f.name for f in signature.features])


def _same_names(given: Mapping[str, Any], names: Sequence[str], where: str) -> None:
    if len(given) == len(names) and all(name in given for name in names):
        return
    missing = [name for name in names if name not in given]
    known = set(names)
    unknown = [str(name)[:64] for name in given if name not in known]
    faults = [
        f"{word} {', '.join(repr(n) for n in some[:3])}{' …' if len(some) > 3 else ''}"
        for word, some in (("missing feature", missing), ("unknown feature", unknown))
        if some
    ]
    raise InputError(where + "; ".join(faults))


def _same_length(columns: Columns) -> None:
    lengths = {name: len(values) for name, values in columns.items()}
    (first, rows), *others = lengths.items()
    if not rows:
        raise InputError("no rows")
    for name, length in others:
        if length != rows:
            raise InputError(f"feature {name!r} has {length} rows, {first!r} has {rows}")


def _kind(value: object) -> str:
    kinds = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "null"}
    return kinds.get(type(value), "a number")
