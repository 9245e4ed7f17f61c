"""History as Parquet: raw events, and what was said of their windows. Nothing is dropped; a full archive holds reading.

Events live in memory until their file is in the store; a restarted worker reads them again from `archived`. Results
are part of the checkpoint until theirs is.
"""

import threading
from collections.abc import Iterable, Iterator, Sequence

from moorage_runtime.config import DriftConfig, ObjectStoreConfig, SinkStatus
from moorage_runtime.drift.sinks.cutting import Cut, Cutter
from moorage_runtime.drift.sinks.tables import (
    File,
    concept_files,
    event_files,
    series_name,
    window_files,
)
from moorage_runtime.drift.sinks.upload import Job, Uploader
from moorage_runtime.drift.types import Block, ConceptResult, Result, WindowResult

NAME = "objectStore"
ROOM_BYTES = 128 << 20
"""What may wait for the store, about; beyond it the archive is full."""
ROW_OVERHEAD = 64
CELL_BYTES = 8
SCORE_BYTES = 1_000
_EMPTY_RESULT_BYTES = 500

Group = tuple[str, str | None]
"""Which results go into one file: windows or concept, and the partition (of concept, that of the labels)."""


class Archive:
    """To be used from the worker's thread; files are written from another."""

    def __init__(self, config: DriftConfig, store: ObjectStoreConfig) -> None:
        self._config = config
        self._store = store
        self._declared = {"feature": config.features or [], "prediction": config.outputs or []}
        self._cutters: dict[str, Cutter] = {}
        self._archived: dict[str, int] = {}
        self._open: dict[Group, list[Result]] = {}
        self._lock = threading.Lock()
        self._waiting: dict[int, Result] = {}
        self._lasts: set[int] = set()
        self._uploader = Uploader(NAME, store.uri, config.storage)

    def block(self, block: Block) -> None:
        """Take the rows of a block; those that are in the store already are left out."""
        cutter = self._cutters.get(block.partition)
        if cutter is None:
            cutter = Cutter(block.partition, self._store.rows, self._store.seconds * 1_000_000)
            self._cutters[block.partition] = cutter
            with self._lock:
                self._archived.setdefault(block.partition, block.first_offset)
        begin = int(block.offsets.searchsorted(self._archived[block.partition]))
        for cut in cutter.add(block, begin):
            self._upload(cut)

    def results(self, results: Sequence[Result]) -> None:
        """Take results; a file of them ends as one of events does, but not between results of one message of labels."""
        with self._lock:
            self._waiting.update((id(result), result) for result in results)
        for result in results:
            group = _group(result)
            if isinstance(result, ConceptResult) and self._ends_before(result):
                self._end(group)
            gathered = self._open.setdefault(group, [])
            gathered.append(result)
            if isinstance(result, WindowResult) and self._complete(gathered):
                self._end(group)

    def idle(self, partition: str) -> None:
        """A partition has fallen silent: end its file of events."""
        cutter = self._cutters.get(partition)
        cut = cutter.end() if cutter is not None else None
        if cut is not None:
            self._upload(cut)

    @property
    def open_results(self) -> list[Group]:
        """Of which results a file is open."""
        return [*self._open]

    def end_results(self, groups: Iterable[Group]) -> None:
        """End the open files of these results."""
        for group in groups:
            if group in self._open:
                self._end(group)

    def archived(self, partition: str) -> int | None:
        """The offset before which all rows are in the store; None before its first block."""
        with self._lock:
            return self._archived.get(partition)

    @property
    def full(self) -> bool:
        """Whether the store has to take something before more may come."""
        return self._uploader.size > ROOM_BYTES

    @property
    def pending(self) -> list[Result]:
        """Results whose file is not in the store yet, in order."""
        with self._lock:
            return [*self._waiting.values()]

    @property
    def lasts(self) -> set[int]:
        """Which of the pending results, by `id`, are the last of a file that is complete."""
        with self._lock:
            return self._lasts & self._waiting.keys()

    @property
    def positions(self) -> dict[str, int]:
        """`archived` of all partitions."""
        with self._lock:
            return dict(self._archived)

    def restore(self, positions: dict[str, int], results: Sequence[tuple[Result, bool]]) -> None:
        """Go on from another worker's checkpoint: its positions, its pending results and which of them end a file."""
        with self._lock:
            self._archived.update(positions)
        for result, last in results:
            self.results([result])
            group = _group(result)
            if last and group in self._open:
                self._end(group)

    @property
    def status(self) -> SinkStatus:
        """Files written, and what waits to be."""
        return self._uploader.status

    def stop(self, timeout: float) -> None:
        """Write what is complete; open files stay open, since another worker goes on with them."""
        self._uploader.stop(timeout)

    def join(self) -> None:
        """Wait for the thread."""
        self._uploader.join()

    def _upload(self, cut: Cut) -> None:
        series = series_name(self._config.stream.uri, cut.partition)

        def files() -> list[File]:
            return event_files(cut.slices, series, self._config.model, self._declared)

        def done() -> None:
            with self._lock:
                self._archived[cut.partition] = cut.next_offset

        block = cut.slices[0].block
        width = len(block.features) + len(block.predictions)
        self._uploader.put(Job(files, done, cut.rows * (ROW_OVERHEAD + CELL_BYTES * width)))

    def _ends_before(self, result: ConceptResult) -> bool:
        """Whether a result begins a file; files are known by their offsets, so that two never have one in common."""
        gathered = self._open.get(_group(result))
        if not gathered or not self._complete(gathered):
            return False
        last = gathered[-1]
        return isinstance(last, ConceptResult) and last.offset != result.offset

    def _complete(self, gathered: Sequence[Result]) -> bool:
        """Whether results fill a file: by its rows, or by the event time from the first one's begin."""
        begin, end = _begin(gathered[0]), _end(gathered[-1])
        return end - begin >= self._store.seconds * 1_000_000 or sum(map(_rows, gathered)) >= self._store.rows

    def _end(self, group: Group) -> None:
        """Write the results of an open file."""
        results = self._open.pop(group)
        with self._lock:
            self._lasts.add(id(results[-1]))

        def files() -> list[File]:
            return [*_files(results, self._config.model)]

        def done() -> None:
            with self._lock:
                for result in results:
                    del self._waiting[id(result)]
                self._lasts.discard(id(results[-1]))

        size = sum(_EMPTY_RESULT_BYTES + SCORE_BYTES * _rows(result) for result in results)
        self._uploader.put(Job(files, done, size))


def _group(result: Result) -> Group:
    if isinstance(result, WindowResult):
        return "windows", result.window.partition
    return "concept", result.partition


def _files(results: Sequence[Result], model: str) -> Iterator[File]:
    windows = [result for result in results if isinstance(result, WindowResult) and result.scores]
    concept = [result for result in results if isinstance(result, ConceptResult) and result.states]
    if windows:
        yield from window_files(windows, model)
    if concept:
        yield from concept_files(concept, model)


def _rows(result: Result) -> int:
    return len(result.scores) if isinstance(result, WindowResult) else len(result.states)


def _begin(result: Result) -> int:
    return result.window.start if isinstance(result, WindowResult) else result.time


def _end(result: Result) -> int:
    return result.window.end if isinstance(result, WindowResult) else result.time
