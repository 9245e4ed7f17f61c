"""Held-out records: a seeded sample in which every label stays with its row."""

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np

from moorage_runtime.config import DatasetConfig, StorageConfig
from moorage_runtime.live_test.fault import TestFault


@dataclass(frozen=True, slots=True)
class Sample:
    """Records as columns; `rows` are their numbers in the data set, counted from 0.

    `classes` are the distinct labels of the whole data set, sorted: the order in which classifiers number them.
    """

    columns: dict[str, list[Any]]
    labels: list[Any]
    rows: list[int]
    classes: list[Any]
    unlabelled: int = 0
    """Rows of the data set left out because they have no label."""

    def __len__(self) -> int:
        return len(self.labels)


def read_sample(config: DatasetConfig, storage: StorageConfig) -> Sample:
    """Read the data set and draw the sample. Raises TestFault naming URI or column."""
    from moorage_runtime.storage import StorageError, read_table

    try:
        table = read_table(config.uri, storage)
    except StorageError as error:
        raise TestFault(f"dataset.uri: {error}") from error
    if config.label_column not in table.column_names:
        names = ", ".join(table.column_names)
        raise TestFault(
            f"dataset.labelColumn: {config.uri} has no column {config.label_column!r}; it has: {names}"
        )
    columns = {
        name: [plain(cell) for cell in table.column(name).to_pylist()]
        for name in dict.fromkeys(table.column_names)
    }
    return draw(columns, config)


def draw(columns: dict[str, list[Any]], config: DatasetConfig) -> Sample:
    """Draw `config.rows` records (all without it) in an order that depends on the seed only.

    The order is shuffled even where all rows are taken, so that a run that ends early has seen a fair part.
    Raises TestFault where no labelled record or no feature is left.
    """
    labels = columns[config.label_column]
    features = {name: values for name, values in columns.items() if name != config.label_column}
    labelled = [row for row, label in enumerate(labels) if not missing(label)]
    if not labelled:
        kind = "is empty" if not labels else f"has no label in column {config.label_column!r}"
        raise TestFault(f"dataset.uri: {config.uri} {kind}")
    if not features:
        raise TestFault(f"dataset.uri: {config.uri} has no column beside the label {config.label_column!r}")
    order = np.random.default_rng(config.seed).permutation(len(labelled))[: config.rows]
    rows = [labelled[index] for index in order]
    return Sample(
        columns={name: [values[row] for row in rows] for name, values in features.items()},
        labels=[labels[row] for row in rows],
        rows=rows,
        classes=distinct([labels[row] for row in labelled]),
        unlabelled=len(labels) - len(labelled),
    )


def plain(cell: Any) -> Any:
    """A cell as JSON can say it: Decimal as float, bytes as UTF-8, dates and the like as text."""
    if cell is None or isinstance(cell, (bool, int, float, str)):
        return cell
    if isinstance(cell, list):
        return [plain(item) for item in cell]
    if isinstance(cell, Decimal):
        return float(cell)
    return cell.decode(errors="replace") if isinstance(cell, bytes) else str(cell)


def missing(value: Any) -> bool:
    """Whether the value is absent: null or NaN."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def distinct(values: list[Any]) -> list[Any]:
    """The distinct values, sorted; by text where they cannot be compared."""
    found = set(values)
    try:
        return sorted(found)
    except TypeError:
        return sorted(found, key=str)
