"""One captured message into rows, whatever its format: right rather than fast.

What decides is the message itself (docs/capture-event.md). The fast paths of `decode_native` give the same rows for
what they take; what is unusual comes here.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, cast

import orjson

from moorage_runtime.drift.reading.mlrun import Mlrun
from moorage_runtime.drift.reading.rows import Listed, Rows, Skip, put_infinite, spread, whole

SCHEMA = re.compile(r"moorage\.capture/v1(\.\d+)?")
DAMAGED = (KeyError, TypeError, IndexError, AttributeError, ValueError, OverflowError, RecursionError)
"""What a message that lacks something, or has something of another type, raises while it is read."""
_DIGITS = 18


def parse(value: bytes) -> dict[str, Any]:
    """The message's object; NaN and Infinity, which MLRun's producers write, are taken. Raises Skip."""
    try:
        body = orjson.loads(value)
    except orjson.JSONDecodeError:
        try:
            body = json.loads(value, parse_int=_integer)
        except (ValueError, RecursionError):
            raise Skip("malformed") from None
    if type(body) is not dict:
        raise Skip("malformed")
    return cast("dict[str, Any]", body)


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= _DIGITS else float(digits)


class Careful:
    """Reads messages of every format that is known."""

    def __init__(self, model: str, features: list[str] | None, outputs: list[str] | None) -> None:
        self._model = model
        self._mlrun = Mlrun(features, outputs)

    def read(self, value: bytes, name: str) -> list[Rows]:
        """The rows of a message; `name` is the id of a request that brings none. Raises Skip."""
        body = parse(value)
        try:
            if "resp" in body or "error" in body or "headers" in body:
                self._check_model(body)
                return self._mlrun.read(body, name)
            if "specversion" in body:
                raise Skip("unsupported")
            if "schema" in body:
                if not isinstance(body["schema"], str) or not SCHEMA.fullmatch(body["schema"]):
                    raise Skip("unknown_schema")
                self._check_model(body)
                return [_native(body, text_columns(body.get("columns")))]
        except DAMAGED:
            raise Skip("malformed") from None
        raise Skip("malformed")

    def read_tail(self, head: Mapping[str, Any], texts: frozenset[str], tail: bytes) -> list[Rows]:
        """The rows of a native message whose head is read already, and what stands behind it. Raises Skip."""
        try:
            # in an object that has a key twice, the last one counts
            return [_native({**head, **orjson.loads(b"{" + tail)}, texts)]
        except DAMAGED:
            raise Skip("malformed") from None

    def _check_model(self, body: Mapping[str, Any]) -> None:
        model = body["model"]
        if not isinstance(model, str):
            raise Skip("malformed")
        if model != self._model:
            raise Skip("foreign_model")


def _native(body: Mapping[str, Any], texts: frozenset[str]) -> Rows:
    held = body["requests"]
    ids = held["id"]
    if type(ids) is not list or not all(isinstance(one, str) for one in ids):
        raise ValueError("ids")
    times, latencies, counts, first_rows = (
        [whole(one) for one in held[name]] for name in ("time_us", "latency_us", "rows", "first_row")
    )
    if not len(ids) == len(times) == len(latencies) == len(counts) == len(first_rows):
        raise ValueError("requests of different length")
    version = body.get("version")
    versions = [None if version is None else str(version)] * len(ids)
    rows = sum(counts)
    infinite = body.get("infinite", {})
    features = _columns(body["features"], infinite.get("features", {}), rows)
    if features is None:
        raise ValueError("features of another length")
    predictions = _columns(body["predictions"], infinite.get("predictions", {}), rows)
    if predictions is None and len(ids) != 1:
        raise ValueError("predictions of another length")
    return Rows(
        # the offset is the reader's to know
        Listed([], ids, times, latencies, counts, first_rows, versions),
        rows,
        # an answer that does not have one value per row is written whole: it tells nothing of the rows
        predictions or {},
        features,
        texts=texts,
    )


def text_columns(described: Any) -> frozenset[str]:
    """Names of the columns that a native message describes as text."""
    if type(described) is not list:
        return frozenset()
    return frozenset(
        one["name"]
        for one in described
        if type(one) is dict and one.get("type") == "categorical" and isinstance(one.get("name"), str)
    )


def _columns(held: Mapping[str, Any], infinite: Mapping[str, Any], rows: int) -> dict[str, list[Any]] | None:
    """None where a column has another length."""
    if any(type(values) is not list or len(values) != rows for values in held.values()):
        return None
    columns: dict[str, list[Any]] = {}
    for name, values in held.items():
        found = spread(name, values)
        if name in infinite:
            put_infinite(found, infinite[name])
        columns |= found
    return columns
