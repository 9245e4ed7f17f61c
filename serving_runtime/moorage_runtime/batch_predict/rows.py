"""Rows on their way from a file to the model."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Rows:
    """Columns of `count` rows each; `errors` says of a row why it cannot be predicted."""

    columns: dict[str, pa.Array]
    count: int
    errors: dict[int, str]


def spread(values: Any, places: list[int], count: int) -> pa.Array:
    """An Arrow array of `count` values: the given ones at their places, null elsewhere."""
    index = np.full(count, -1, dtype=np.int64)
    index[places] = np.arange(len(places))
    return values.take(pa.array(index, mask=index < 0))
