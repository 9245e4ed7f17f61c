"""What a server answered: tensors of a reply, and one record of the run."""

from dataclasses import dataclass
from typing import Any

import orjson

PREDICTION = "predict"
PROBABILITIES = "predict_proba"
ERROR_CLASSES = ("timeout", "connection", "4xx", "5xx", "reply")
"""timeout: no answer in time; connection: none at all; reply: no error status and no prediction either."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """An output of a reply: `data` flat, in row-major order."""

    shape: tuple[int, ...]
    data: list[Any]

    def rows(self, count: int) -> list[list[Any]]:
        """The values of each row. Raises ValueError where they cannot be divided among `count` rows."""
        if count == 0 or len(self.data) % count or not self.data:
            raise ValueError(f"{len(self.data)} values for {count} rows")
        width = len(self.data) // count
        return [self.data[start : start + width] for start in range(0, len(self.data), width)]


@dataclass(slots=True)
class Answer:
    """One request of the load and what came of it; times in seconds."""

    request_id: str
    record: int
    """Position in the sample."""
    started: float
    """Since the load began: when it was sent, or was meant to be where the client was late."""
    latency: float
    late: float = 0.0
    """How much later than intended the client sent it (open loop); the latency includes it."""
    status: int = 0
    """HTTP status, 0 without an answer."""
    prediction: Any = None
    error: str | None = None
    """One of ERROR_CLASSES, None for a usable answer."""
    detail: str | None = None


def tensors(body: bytes) -> dict[str, Tensor]:
    """The outputs of an inference reply by name. Raises ValueError where it is none."""
    document = orjson.loads(body)
    listed = document.get("outputs") if isinstance(document, dict) else None
    if not isinstance(listed, list) or not listed:
        raise ValueError("the reply has no outputs")
    found: dict[str, Tensor] = {}
    for item in listed:
        if not isinstance(item, dict) or not isinstance(item.get("data"), list):
            raise ValueError("an output of the reply has no data")  # noqa: TRY004 - the reply is at fault
        shape = tuple(int(size) for size in item.get("shape") or ())
        found[str(item.get("name"))] = Tensor(shape, _flat(item["data"]))
    return found


def predictions(outputs: dict[str, Tensor], count: int, classes: list[Any]) -> list[Any]:
    """The prediction of each of `count` rows: the output `predict`, or else the first one.

    Several values a row are scores, one a class: the prediction is then the class with the highest score.
    Raises ValueError where there are neither.
    """
    tensor = outputs.get(PREDICTION) or next(iter(outputs.values()))
    rows = tensor.rows(count)
    width = len(rows[0])
    if any(cell is None for row in rows for cell in row):
        raise ValueError("the reply has null for a prediction")
    if width == 1:
        return [row[0] for row in rows]
    if width != len(classes):
        raise ValueError(
            f"the reply has {width} values a row, neither one prediction nor {len(classes)} scores"
        )
    return [classes[max(range(width), key=row.__getitem__)] for row in rows]


def error_text(body: bytes) -> str | None:
    """The message of an error body in the protocol's shape, `{"error": "…"}`, or None."""
    try:
        document = orjson.loads(body)
    except ValueError:
        return None
    message = document.get("error") if isinstance(document, dict) else None
    return message if isinstance(message, str) and message else None


def _flat(data: list[Any]) -> list[Any]:
    while data and isinstance(data[0], list):
        data = [item for row in data for item in row]
    return data
