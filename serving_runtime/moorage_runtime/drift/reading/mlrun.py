"""MLRun's events into rows: those of its V1 and V2 servers, one by one or batched, and ours in their form.

The forms: docs/capture-event.md, and what MLRun's own producers add (`headers` and `values` for several requests in
one message, events of errors, rows or answers by name, times without a zone, which are taken as UTC).
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import chain
from typing import Any

from moorage_runtime.drift.reading.rows import SCALARS, Listed, Rows, Skip, spread, whole

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


class Mlrun:
    """Names rows that have none by `features`, else x0, x1 …; an answer is the first of `outputs`, else predict."""

    def __init__(self, features: list[str] | None, outputs: list[str] | None) -> None:
        self._declared = tuple(features or ())
        self._output = outputs[0] if outputs else "predict"

    def read(self, body: Mapping[str, Any], name: str) -> list[Rows]:
        """The requests in a message. Raises Skip, or what a damaged body raises."""
        if "headers" not in body:
            return [self._event(body, name)]
        heads = body["headers"]
        events = [{**body, **dict(zip(heads, one, strict=True))} for one in body["values"]]
        good = [one for one in events if one.get("resp") is not None]
        if not good:
            raise Skip("error_event")
        return [self._event(one, f"{name}-{at}") for at, one in enumerate(good)]

    def _event(self, body: Mapping[str, Any], name: str) -> Rows:
        answer: Any = body.get("resp")
        if answer is None and "error" in body:
            raise Skip("error_event")
        request = body["request"]
        second = type(answer) is dict
        rows = request["inputs"] if second else request["instances"]
        answers = answer["outputs"] if second else answer
        identity = request.get("id") or (answer.get("id") if second else None)
        version = body.get("version") or (answer.get("model_version") if second else None)
        if type(rows) is dict:
            rows = [dict(zip(rows, row, strict=True)) for row in zip(*rows.values(), strict=True)]
        count = len(rows)
        requests = Listed(
            [],
            [str(identity) if identity else name],
            [_time(body["when"])],
            [whole(body["microsec"])],
            [count],
            [0],
            [str(version) if version else None],
        )
        predictions = self._answers(answers, count)
        if count and type(rows) is list and type(rows[0]) is list:
            width = len(rows[0])
            flat = rows[0] if count == 1 else list(chain.from_iterable(rows))
            types = frozenset(map(type, flat))
            same = count == 1 or all(type(row) is list and len(row) == width for row in rows)
            if list not in types and same:
                return Rows(requests, count, predictions, None, self._names(width), flat, types)
        return Rows(requests, count, predictions, self._named(rows))

    def _names(self, width: int) -> tuple[str, ...]:
        return self._declared if len(self._declared) == width else _numbered(width)

    def _named(self, rows: Any) -> dict[str, list[Any]]:
        """Columns of rows that are objects, plain values or arrays of arrays."""
        if type(rows) is not list:
            raise TypeError("rows are no list")
        if rows and all(type(row) is dict for row in rows):
            columns: dict[str, list[Any]] = {}
            for name in dict.fromkeys(chain.from_iterable(rows)):
                columns |= spread(name, [row.get(name) for row in rows])
            return columns
        if any(type(row) is dict for row in rows):
            raise TypeError("rows of several kinds")
        if any(type(row) is list for row in rows):
            return spread(self._declared[0] if len(self._declared) == 1 else "x", rows)
        return {self._names(1)[0]: rows} if rows else {}

    def _answers(self, answers: Any, count: int) -> dict[str, Sequence[Any]]:
        """Predictions by name; those that are not one per row are left out."""
        if type(answers) is list:
            if len(answers) != count:
                return {}
            if frozenset(map(type, answers)) <= SCALARS:
                return {self._output: answers}
            if all(type(one) is dict for one in answers):
                names = dict.fromkeys(chain.from_iterable(answers))
                answers = {name: [one.get(name) for one in answers] for name in names}
            else:
                return dict(spread(self._output, answers))
        if type(answers) is not dict:
            return {}
        found: dict[str, Sequence[Any]] = {}
        for name, values in answers.items():
            if type(values) is list and len(values) == count:
                found |= spread(name, values)
        return found


@lru_cache(maxsize=64)
def _numbered(width: int) -> tuple[str, ...]:
    return tuple(f"x{at}" for at in range(width))


def _time(text: str) -> int:
    """µs since the epoch of `2026-11-22 09:08:20.678969+00:00`. Raises ValueError."""
    if len(text) in (26, 32) and text[19] == "." and text[26:] in ("", "+00:00"):
        fraction = text[20:26]
        if fraction.isdecimal() and fraction.isascii():
            return _second(text[:19]) + int(fraction)
    return _since(datetime.fromisoformat(text))


@lru_cache(maxsize=256)
def _second(text: str) -> int:
    return _since(datetime.fromisoformat(text))


def _since(time: datetime) -> int:
    """Without a zone it is UTC."""
    since = ((time.replace(tzinfo=UTC) if time.tzinfo is None else time) - EPOCH) // MICROSECOND
    if since < 0:
        raise ValueError("before the epoch")
    return since
