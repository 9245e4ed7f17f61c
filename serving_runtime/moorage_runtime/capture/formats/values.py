"""Arrays as JSON: what numpy holds and JSON lacks is decided here, once for all formats.

NaN and infinity are `null` (JSON has neither); text stays text; bytes are text where they are UTF-8, else
`{"base64": …}`; floats have the shortest digits that give the same number in their own width.
"""

import base64
from typing import Any

import numpy as np
import orjson

from moorage_runtime.models.base import Array

OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS
FEW = 256
"""Values up to which Python's own numbers are faster to write than an array."""
SLICE = 40_000
"""Values that are written in one go: about a millisecond."""


def _other(value: Any) -> Any:
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return {"base64": base64.b64encode(value).decode()}
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    return str(value)


def dumps(value: Any) -> bytes:
    """One line of JSON."""
    return orjson.dumps(value, _other, OPTIONS)


def plain(array: Array) -> Array:
    """The same numbers in a type that `dumps` knows: at most 64 bits, this machine's byte order."""
    dtype = array.dtype
    if dtype.kind not in "fiub" or (dtype.isnative and dtype.itemsize <= 8):
        return array
    return array.astype(f"{dtype.kind}{min(8, dtype.itemsize)}")


def jsonable(array: Array) -> Any:
    """Something that `dumps` writes fast and right."""
    array = plain(array)
    if array.dtype.kind in "fiub" and array.ndim > 0 and (array.size > FEW or array.dtype.itemsize < 8):
        return np.ascontiguousarray(array)
    return array.tolist()


def array_json(array: Array) -> bytes:
    """An array as JSON; a long one in slices, so that a thread that writes it lets others run in between."""
    if array.size <= SLICE or len(array) < 2:
        return dumps(jsonable(array))
    step = max(1, len(array) * SLICE // array.size)
    slices = (array[begin : begin + step] for begin in range(0, len(array), step))
    return b"[" + b",".join([dumps(jsonable(each))[1:-1] for each in slices]) + b"]"


def type_name(dtype: np.dtype[Any]) -> str:
    """The type's name in the API: float64, int64, bool, string …"""
    return str(dtype.name) if dtype.kind in "fiub" else "string"
