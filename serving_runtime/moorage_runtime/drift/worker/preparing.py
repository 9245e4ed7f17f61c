"""Gets the reference: from beside the checkpoint, else from its table, else (or also) from the stream's first rows."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from moorage_runtime.config import DriftConfig
from moorage_runtime.drift.checkpoint.identity import files_hash
from moorage_runtime.drift.checkpoint.progress import Quiet
from moorage_runtime.drift.reference.learning import Columns, Preparation, columns_of
from moorage_runtime.drift.reference.summary import Reference
from moorage_runtime.drift.reference.summary import ReferenceError as UnfitReferenceError
from moorage_runtime.drift.traffic import AHEAD, traffic
from moorage_runtime.drift.worker.parts import decoder_of
from moorage_runtime.storage import list_files, read_table
from moorage_runtime.streams import PartitionReader

ROWS_A_POLL = 50_000
"""What a poll should bring, so that memory does not depend on how many rows an event packs."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A reference and how it came about."""

    reference: Reference
    files: str | None
    """Hash of what was known of its files."""
    missing: tuple[str, ...]
    """Watched features that it lacks."""
    cuts: dict[str, int]
    """Partition to the offset before which rows are the reference themselves."""


class Pace:
    """How many messages to ask for, by the rows that messages had so far."""

    def __init__(self) -> None:
        self._rows_per_message = 50.0

    @property
    def messages(self) -> int:
        """For the next poll."""
        return int(min(20_000, max(10, ROWS_A_POLL / max(self._rows_per_message, 1e-3))))

    def took(self, messages: int, rows: int) -> None:
        """What a chunk brought."""
        if messages:
            weight = min(1.0, messages / 500)
            self._rows_per_message += weight * (rows / messages - self._rows_per_message)


def known_files(config: DriftConfig) -> str | None:
    """Hash of what the store says of the reference's files. Raises StorageError."""
    uri = config.reference.uri
    if uri is None:
        return None
    return "" if uri.startswith(("http:", "https:")) else files_hash(list_files(uri, config.storage))


def read_columns(config: DriftConfig) -> Columns | None:
    """The reference's table; None where the first rows are the reference. Raises StorageError, UnfitReferenceError."""
    uri = config.reference.uri
    if uri is None:
        return None
    table = read_table(uri, config.storage)
    if not table.num_rows:
        raise UnfitReferenceError(f"{uri}: has no rows")
    return columns_of(table)


def prepare(
    config: DriftConfig,
    reader: PartitionReader,
    *,
    idle_seconds: float,
    step: Callable[[str], float],
) -> Prepared:
    """Read the table and, where it is not enough, the stream from where `reader` is.

    `step` is told what is awaited and gives the time (monotonic); it raises to give up. Raises StorageError,
    UnfitReferenceError.
    """
    files = known_files(config)
    preparation = Preparation(config, read_columns(config))
    decoder = decoder_of(config)
    quiet, pace = Quiet(), Pace()
    while True:
        now = step(preparation.awaited())
        ended = quiet.longer_than(idle_seconds, reader.caught_up, now)
        if preparation.complete(reader.positions, ended):
            break
        for chunk in reader.poll(pace.messages, 0.2):
            quiet.brought(chunk.partition, now)
            block = decoder.decode(chunk)
            pace.took(len(chunk.values), block.rows if block is not None else 0)
            if block is not None:
                rows, _ = traffic(block, int(time.time() * 1e6) + AHEAD)
                preparation.take(rows)
    reference, missing = preparation.result()
    return Prepared(reference, files, missing, preparation.cuts())
