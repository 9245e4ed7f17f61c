"""The binary tensor extension: raw little-endian tensors behind the JSON, in the order of its inputs."""

import math
import struct
from typing import Any

import numpy as np

from moorage_runtime.http.replies import HttpError
from moorage_runtime.models.base import Array, InputError, Signature

LENGTH_HEADER = b"inference-header-content-length"


def split(body: bytes, header: bytes) -> tuple[bytes, memoryview]:
    """The JSON and what follows it."""
    if not header.isdigit() or int(header) > len(body):
        raise HttpError(400, "Inference-Header-Content-Length must be the number of bytes of the body's JSON")
    length = int(header)
    return body[:length], memoryview(body)[length:]


def decode(raw: memoryview, shape: tuple[int, ...], dtype: np.dtype[Any], where: str) -> Array:
    """The array of raw bytes; the length must fit shape and datatype exactly."""
    size = math.prod(shape)
    if dtype.kind == "O":
        return _strings(raw, size, where).reshape(shape)
    if len(raw) != size * dtype.itemsize:
        raise InputError(
            f"{where} has {len(raw)} bytes, its shape {list(shape)} needs {size * dtype.itemsize}"
        )
    if dtype.kind == "b":
        return np.frombuffer(raw, np.uint8).astype(np.bool_).reshape(shape)
    return np.frombuffer(raw, dtype.newbyteorder("<")).reshape(shape).astype(dtype, copy=False)


def _strings(raw: memoryview, size: int, where: str) -> Array:
    values: list[str] = []
    position = 0
    while position < len(raw):
        if position + 4 > len(raw):
            raise InputError(f"{where}: the last string's length is cut off")
        (length,) = struct.unpack_from("<I", raw, position)
        position += 4
        if position + length > len(raw):
            raise InputError(f"{where}: string {len(values)} is cut off")
        try:
            values.append(str(raw[position : position + length], "utf-8"))
        except UnicodeDecodeError:
            raise InputError(f"{where}: string {len(values)} is not UTF-8") from None
        position += length
    if len(values) != size:
        raise InputError(f"{where} has {len(values)} strings, its shape needs {size}")
    array = np.empty(size, dtype=object)
    array[:] = values
    return array


def encode(array: Array) -> bytes:
    """Raw bytes of an output, row-major, little-endian."""
    if array.dtype.kind in "biuf":
        return np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes()
    parts = []
    for value in array.flat:
        data = value if isinstance(value, bytes) else str(value).encode()
        parts.append(struct.pack("<I", len(data)) + data)
    return b"".join(parts)


def raw_request(raw: memoryview, signature: Signature) -> Array:
    """A body that is one tensor and nothing else: its rows follow from the width of the model's matrix."""
    dtype, width = signature.matrix, len(signature.features)
    if dtype is None or not width:
        raise HttpError(400, "a raw tensor needs a model with one input of known width: send JSON before it")
    size = dtype.itemsize * width
    if len(raw) % size:
        raise InputError(f"{len(raw)} bytes are no whole number of rows of {width} {dtype.name} values")
    return np.frombuffer(raw, dtype.newbyteorder("<")).reshape(-1, width).astype(dtype, copy=False)


def binary_size(parameters: Any, where: str) -> int | None:
    """`binary_data_size` of a tensor's parameters; None where its data is JSON."""
    if parameters is None:
        return None
    if not isinstance(parameters, dict):
        raise InputError(f"{where}.parameters must be an object")
    size = parameters.get("binary_data_size")
    if size is not None and (type(size) is not int or size < 0):
        raise InputError(f"{where}.parameters.binary_data_size must be an integer of at least 0")
    return size
