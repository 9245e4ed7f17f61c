"""How a worker starts: the checkpoint says where and with what; else the stream, and the reference is made."""

import contextlib
import time
from collections.abc import Mapping
from typing import Any, Literal

from moorage_runtime.drift.checkpoint.identity import NAMES, changed, identity
from moorage_runtime.drift.checkpoint.progress import Progress
from moorage_runtime.drift.monitor import Monitor
from moorage_runtime.drift.reference.summary import Reference
from moorage_runtime.drift.worker.keeping import Keeper
from moorage_runtime.drift.worker.parts import REFERENCE, Parts
from moorage_runtime.drift.worker.preparing import Prepared, known_files, prepare
from moorage_runtime.drift.worker.reporting import Reporter
from moorage_runtime.storage import StorageError
from moorage_runtime.streams import PartitionReader, kafka_address, open_partitions

State = Mapping[str, Any]
Start = Literal["latest", "earliest"]


def start(parts: Parts, reporter: Reporter, keeper: Keeper) -> None:
    """Make the parts ready to read on. Raises Stopped, CheckpointError."""
    Starter(parts, reporter, keeper).run()


class Starter:
    """The steps of a start."""

    def __init__(self, parts: Parts, reporter: Reporter, keeper: Keeper) -> None:
        self._parts = parts
        self._reporter = reporter
        self._keeper = keeper
        self._identity = identity(parts.config)

    def run(self) -> None:
        """All of them."""
        parts = self._parts
        state = self._reporter.patiently("CheckpointFailed", parts.checkpoint.load)
        if state is not None and "stream" in changed(state["identity"], self._identity):
            self._reporter.say("the checkpoint is of another stream: the worker begins anew")
            state = None
        if state is None:
            self._begin()
        else:
            self._go_on(state)
        self._open_labels(state)
        if state is None:
            self._keeper.save_now()  # a worker that is killed now begins at the same place
        self._take_reference(state)
        self._keeper.save_now()
        self._reporter.error = None
        self._reporter.say(self._summary(goes_on=state is not None))

    def _summary(self, *, goes_on: bool) -> str:
        parts = self._parts
        config, window = parts.config, parts.config.window
        size = f"{window.seconds} s" if window.seconds is not None else f"{window.rows} rows"
        count = len(parts.progress.positions)
        where = "goes on at its checkpoint" if goes_on else f"begins at the {config.start}"
        return (
            f"watches {config.model} on {config.stream.uri}, windows of {size},"
            f" {count} partition{'' if count == 1 else 's'}; {where}"
        )

    def _begin(self) -> None:
        """At the stream's end or beginning, as the config says."""
        parts = self._parts
        reader = self._open({}, parts.config.start)
        with contextlib.closing(reader):
            at = self._first_positions(reader)
        archiving = parts.progress.archiving
        parts.progress = Progress(at, dict(at) if archiving else {}, archiving=archiving)
        parts.reader = self._open(parts.progress.begin(), "earliest")

    def _first_positions(self, reader: PartitionReader) -> dict[str, int]:
        """Where the stream begins, once it has said so."""
        folder = kafka_address(self._parts.config.stream.uri) is None
        first: dict[str, int] = {}
        while not (reader.positions or (folder and reader.error is None)):
            for chunk in reader.poll(1, 0.2):
                first.setdefault(chunk.partition, chunk.offsets[0])
            self._reporter.wait("StreamFailed", reader.error or "waiting for the stream's positions", 0)
        return {**reader.positions, **first}

    def _go_on(self, state: State) -> None:
        """Where the checkpoint ended."""
        parts = self._parts
        parts.progress = Progress.restore(state["progress"], archiving=parts.progress.archiving)
        parts.reader = self._open(parts.progress.begin(), "earliest")
        parts.sinks.restore(state["sinks"])
        parts.decoder.skipped.update(state["skipped"])
        parts.lost_before = state["lost"]
        concept = parts.concept
        if concept is not None and state["concept"] is not None:
            self._reporter.patiently(
                "CheckpointFailed", lambda: concept.restore(state["concept"], parts.checkpoint.blob)
            )

    def _open(self, positions: Mapping[str, int], first: Start) -> PartitionReader:
        parts = self._parts
        return self._reporter.patiently(
            "StreamFailed", lambda: open_partitions(parts.config.stream, parts.group, positions, first)
        )

    def _open_labels(self, state: State | None) -> None:
        parts = self._parts
        if parts.config.concept_drift is None:
            return
        stream = parts.config.concept_drift.labels.stream
        at: dict[str, int] = dict(state["labels"]) if state is not None else {}
        first: Start = "earliest" if at else parts.config.start
        parts.labels = self._reporter.patiently(
            "StreamFailed", lambda: open_partitions(stream, f"{parts.group}.labels", at, first)
        )

    def _take_reference(self, state: State | None) -> None:
        """Get the reference, and a monitor over it that goes on as far as it may."""
        parts = self._parts
        fresh = [] if state is None else changed(state["identity"], self._identity)
        kept = None
        if state is not None and state["reference"] and not {"reference", "model"} & set(fresh):
            kept = self._reporter.patiently("CheckpointFailed", lambda: parts.checkpoint.blob(REFERENCE))
            parts.reference, parts.files, parts.missing = kept, state["files"], tuple(state["missing"])
        if kept is None or self._files_changed():
            self._prepare()
        assert parts.reference is not None
        if kept is not None and kept != parts.reference:
            fresh.append("reference")
        parts.monitor = Monitor(parts.config, Reference.from_json(parts.reference))
        if state is not None and state["monitor"] is not None:
            self._restore(parts.monitor, state, fresh)
            parts.sinks.end_results((kind, partition) for kind, partition in state["ended"])
        parts.monitor.known(parts.progress.positions)
        for name in parts.progress.ended_at_once():
            parts.sinks.idle(name)

    def _restore(self, monitor: Monitor, state: State, fresh: list[str]) -> None:
        parts = self._parts
        if fresh:
            what = " and ".join(dict.fromkeys(NAMES[name] for name in fresh))
            parts.note = f"{what} changed: windows began anew where the checkpoint ended"
            self._reporter.say(parts.note)
            monitor.restart(state["monitor"])
            return
        parts.note = state["note"]
        monitor.restore(state["monitor"])
        if state["marks"]:
            parts.put_out(monitor.release(state["marks"]))

    def _files_changed(self) -> bool:
        try:
            return known_files(self._parts.config) != self._parts.files
        except StorageError as error:
            self._reporter.say(f"{error}; its summary beside the checkpoint is used")
            return False

    def _prepare(self) -> None:
        """Make the reference; where it takes rows of the stream, a reader of its own reads them."""
        parts = self._parts

        def once() -> Prepared:
            reader = open_partitions(parts.config.stream, parts.group, parts.progress.positions, "earliest")

            def step(awaited: str) -> float:
                if reader.error:
                    self._reporter.wait("StreamFailed", reader.error, 0)
                else:
                    self._reporter.await_events(awaited)
                return time.monotonic()

            with contextlib.closing(reader):
                return prepare(parts.config, reader, idle_seconds=parts.timing.idle, step=step)

        prepared = self._reporter.patiently("ReferenceFailed", once)
        parts.reference = prepared.reference.to_json()
        parts.files, parts.missing = prepared.files, prepared.missing
        parts.progress.judge_from(prepared.cuts)
        if prepared.cuts and not parts.progress.archiving and parts.reader is not None:
            parts.reader.close()
            parts.reader = self._open(parts.progress.begin(), "earliest")
