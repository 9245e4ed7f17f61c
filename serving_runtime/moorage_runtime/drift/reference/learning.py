"""How the reference comes about: from a table, from the first rows of the stream, or from both.

Pure. The first rows are those of the least event time over all partitions, in whole messages, so that the same stream
gives the same reference however its partitions were read past each other.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from moorage_runtime.config import DriftConfig, FeaturesConfig
from moorage_runtime.drift.reference.summary import Reference
from moorage_runtime.drift.reference.summary import ReferenceError as UnfitReferenceError
from moorage_runtime.drift.types import Block, Column

if TYPE_CHECKING:
    import pyarrow as pa

FIRST_PREDICTIONS = 1000
"""Predictions of the stream that become their reference, where the table has no column of the output's name."""
Columns = Mapping[str, Column]


def watched(name: str, features: FeaturesConfig) -> bool:
    """Whether the config's patterns take a feature in."""
    return any(fnmatchcase(name, one) for one in features.include) and not any(
        fnmatchcase(name, one) for one in features.exclude
    )


def columns_of(table: "pa.Table") -> dict[str, Column]:
    """A table's columns as events have them: numbers float64, text and booleans objects; others are left out."""
    import pyarrow as pa

    found: dict[str, Column] = {}
    for name, chunked in zip(table.column_names, table.columns, strict=True):
        kind = chunked.type
        column = chunked
        if pa.types.is_dictionary(kind):
            kind = kind.value_type
            column = column.cast(kind)
        if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
            numbers = column.cast(pa.float64(), safe=False)
            found[name] = np.asarray(numbers.to_numpy(zero_copy_only=False), np.float64)
        elif pa.types.is_boolean(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind):
            found[name] = np.array(column.cast(pa.string()).to_pylist(), dtype=object)
    return found


@dataclass(slots=True)
class _Gathered:
    """What one partition has brought: its messages in the order of their offsets."""

    blocks: list[Block] = field(default_factory=list)
    rows: int = 0
    greatest: int = -(1 << 62)


@dataclass(slots=True)
class _Message:
    """A message's place in the order of all: `key` is the greatest event time of its partition up to it."""

    key: int
    partition: str
    block: int
    begin: int
    end: int


class FirstRows:
    """Gathers blocks until the first `rows` rows of the whole stream are known."""

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self._partitions: dict[str, _Gathered] = {}
        self._taken: list[_Message] = []

    def take(self, block: Block) -> None:
        """Add a partition's next rows; those beyond its own first `rows` are of no use and left out."""
        at = self._partitions.setdefault(block.partition, _Gathered())
        if at.rows < self.rows and block.rows:
            at.blocks.append(block)
            at.rows += block.rows
            at.greatest = max(at.greatest, int(block.times.max()))

    @property
    def gathered(self) -> int:
        """Rows that are held."""
        return sum(at.rows for at in self._partitions.values())

    def complete(self, partitions: Iterable[str], ended: Iterable[str]) -> bool:
        """Whether no row that may still come belongs to the first: of all `partitions`, `ended` bring none for now."""
        if self.gathered < self.rows:
            return False
        done = frozenset(ended)
        holding = {
            name: at.greatest
            for name in {*partitions, *self._partitions} - done
            if (at := self._partitions.get(name, _Gathered())).rows < self.rows
        }
        taken: list[_Message] = []
        rows = 0
        for message in sorted(
            self._messages(), key=lambda one: (one.key, one.partition, one.block, one.begin)
        ):
            mine = (message.key, message.partition)
            if any((mark, name) < mine for name, mark in holding.items() if name != message.partition):
                return False
            taken.append(message)
            rows += message.end - message.begin
            if rows >= self.rows:
                self._taken = taken
                return True
        return False

    def _messages(self) -> list[_Message]:
        found = []
        for name, at in self._partitions.items():
            before = -(1 << 62)
            for number, block in enumerate(at.blocks):
                edges = [0, *(np.flatnonzero(np.diff(block.offsets)) + 1).tolist(), block.rows]
                reached = np.maximum(np.maximum.accumulate(block.times), before)
                before = int(reached[-1])
                found += [
                    _Message(int(reached[end - 1]), name, number, begin, end)
                    for begin, end in pairwise(edges)
                ]
        return found

    def columns(self) -> tuple[dict[str, Column], dict[str, Column]]:
        """Features and predictions of the first rows, once they are complete; a column that a row lacks is missing."""
        blocks = [(self._partitions[m.partition].blocks[m.block], m.begin, m.end) for m in self._taken]
        return (
            _join([({k: v[b:e] for k, v in block.features.items()}, e - b) for block, b, e in blocks]),
            _join([({k: v[b:e] for k, v in block.predictions.items()}, e - b) for block, b, e in blocks]),
        )

    def cuts(self) -> dict[str, int]:
        """Partition to the offset after the first rows, once they are complete."""
        last: dict[str, _Message] = {}
        for message in self._taken:
            last[message.partition] = message
        cuts = {}
        for name, message in last.items():
            blocks = self._partitions[name].blocks
            block = blocks[message.block]
            cuts[name] = int(block.offsets[message.end]) if message.end < block.rows else block.next_offset
        return cuts


def _join(parts: list[tuple[dict[str, Column], int]]) -> dict[str, Column]:
    names = dict.fromkeys(name for columns, _ in parts for name in columns)
    joined = {}
    for name in names:
        kind = object if any(c[name].dtype == object for c, _ in parts if name in c) else np.float64
        filler = None if kind is object else np.nan
        pieces = [
            _as(columns[name], kind) if name in columns else np.full(rows, filler, dtype=kind)
            for columns, rows in parts
        ]
        joined[name] = np.concatenate(pieces)
    return joined


def _as(column: Column, kind: type) -> Column:
    """Numbers among text are text."""
    if kind is object and column.dtype != object:
        texts = [None if np.isnan(x) else repr(x).removesuffix(".0") for x in column.tolist()]
        return np.array(texts, dtype=object)
    return column


class Preparation:
    """Takes the stream's first blocks until a reference can be made of them and of the table, if there is one."""

    def __init__(self, config: DriftConfig, table: Columns | None) -> None:
        self._config = config
        self._table = table
        self._names: list[str] | None = [one.name for one in config.features] if config.features else None
        self._outputs: list[str] | None = [one.name for one in config.outputs] if config.outputs else None
        self._pending: deque[Block] = deque()
        self._first: FirstRows | None = None
        if table is None:
            assert config.reference.first_rows is not None
            self._first = FirstRows(config.reference.first_rows)
        else:
            self._decide()

    def take(self, block: Block) -> None:
        """Add a partition's next rows."""
        if self._names is None and block.rows:
            self._names = list(block.features)
        if self._outputs is None and block.rows:
            self._outputs = list(block.predictions)
        if self._first is None:
            self._pending.append(block)
            self._decide()
        else:
            self._first.take(block)

    def _decide(self) -> None:
        """Once the names are known: whether predictions have to be learned from the stream."""
        if self._names is None or (self._config.prediction_drift and self._outputs is None):
            return
        if self._lacking() and self._first is None:
            self._first = FirstRows(FIRST_PREDICTIONS)
            while self._pending:
                self._first.take(self._pending.popleft())

    def _lacking(self) -> list[str]:
        """Outputs that the table has no column for."""
        if not self._config.prediction_drift or self._table is None:
            return []
        return [name for name in self._outputs or [] if name not in self._table]

    def awaited(self) -> str:
        """What is still missing, for a person."""
        if self._first is not None:
            what = "rows" if self._table is None else "predictions"
            return (
                f"waiting for the first {self._first.rows} {what} of the stream, which become the reference"
            )
        return "waiting for the first event, which names the features"

    def complete(self, partitions: Iterable[str], ended: Iterable[str]) -> bool:
        """Whether `result` can be called; the arguments are those of `FirstRows.complete`."""
        if self._names is None or (self._config.prediction_drift and self._outputs is None):
            return False
        return self._first is None or self._first.complete(partitions, ended)

    def cuts(self) -> dict[str, int]:
        """Partition to the offset before which rows are the reference and are not judged themselves."""
        return self._first.cuts() if self._first is not None and self._table is None else {}

    def result(self) -> tuple[Reference, tuple[str, ...]]:
        """The reference, and the watched features that it lacks. Raises UnfitReferenceError."""
        learned: tuple[dict[str, Column], dict[str, Column]] = ({}, {})
        if self._first is not None:
            learned = self._first.columns()
        source = learned[0] if self._table is None else self._table
        config = self._config
        names = [name for name in self._names or [] if watched(name, config.watched)]
        features = {name: source[name] for name in names if name in source} if config.data_drift else {}
        if config.data_drift and not features:
            raise UnfitReferenceError(_nothing_watched(self._names or [], names, source))
        from_table = dict[str, Column]()
        from_stream = dict[str, Column]()
        if config.prediction_drift:
            known = learned[1] if self._table is None else self._table
            from_table = {name: known[name] for name in self._outputs or [] if name in known}
            from_stream = {name: learned[1][name] for name in self._lacking() if name in learned[1]}
        missing = tuple(name for name in names if name not in source) if config.data_drift else ()
        return self._summarise(features, from_table, from_stream), missing

    def _summarise(self, features: Columns, beside: Columns, learned: Columns) -> Reference:
        def one(features: Columns, predictions: Columns) -> Reference:
            return Reference.summarise(
                features,
                predictions,
                categorical=lambda name: any(
                    fnmatchcase(name, each) for each in self._config.watched.categorical
                ),
                mlrun=self._config.mlrun_compatible,
            )

        if not learned:
            return one(features, beside)
        if not features and not beside:
            return one({}, learned)
        first, second = one(features, beside), one({}, learned)
        return Reference([*first.columns, *second.columns], first.rows)


def _nothing_watched(names: list[str], watched_names: list[str], source: Columns) -> str:
    if not watched_names:
        return f"watched: no pattern takes in any of the features {_list(names)}"
    return f"the reference has none of the features {_list(watched_names)}; its columns are {_list(list(source))}"


def _list(names: list[Any]) -> str:
    return ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "") or "(none)"
