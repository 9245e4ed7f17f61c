"""Element types under their three names: the API's (int64, string), numpy's, and the Open Inference Protocol's."""

from typing import Any

import numpy as np

_TABLE = (
    ("bool", "?", "BOOL"),
    ("int8", "i1", "INT8"),
    ("int16", "i2", "INT16"),
    ("int32", "i4", "INT32"),
    ("int64", "i8", "INT64"),
    ("uint8", "u1", "UINT8"),
    ("uint16", "u2", "UINT16"),
    ("uint32", "u4", "UINT32"),
    ("uint64", "u8", "UINT64"),
    ("float16", "f2", "FP16"),
    ("float32", "f4", "FP32"),
    ("float64", "f8", "FP64"),
    ("string", "O", "BYTES"),
)
_OF_API = {api: np.dtype(code) for api, code, _ in _TABLE}
_OF_OIP = {oip: np.dtype(code) for _, code, oip in _TABLE}
_API_OF = {np.dtype(code): api for api, code, _ in _TABLE}
_OIP_OF = {np.dtype(code): oip for _, code, oip in _TABLE}


def dtype_of_api(name: str) -> np.dtype[Any]:
    """The numpy type of an API type name (object for string); ValueError names an unknown one."""
    return _look_up(_OF_API, name)


def dtype_of_oip(datatype: str) -> np.dtype[Any]:
    """The numpy type of an OIP datatype (object for BYTES); ValueError names an unknown one."""
    return _look_up(_OF_OIP, datatype)


def api_name(dtype: np.dtype[Any]) -> str:
    """The API's name of a numpy type; any kind of text is `string`."""
    return _API_OF[plain(dtype)]


def oip_name(dtype: np.dtype[Any]) -> str:
    """The OIP datatype of a numpy type; any kind of text is BYTES."""
    return _OIP_OF[plain(dtype)]


def plain(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The type of the table that stands for `dtype`: native byte order, object for all that is no number."""
    native = dtype.newbyteorder("=")
    return native if native in _API_OF else np.dtype(object)


def _look_up(table: dict[str, np.dtype[Any]], name: str) -> np.dtype[Any]:
    try:
        return table[name]
    except KeyError:
        raise ValueError(f"unknown type {name[:40]!r}; known: {', '.join(table)}") from None
