"""All sinks of a monitor behind one face: the worker hands over, and asks what it has to remember."""

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from moorage_runtime.config import AlertConfig, DriftConfig, SinkStatus, TimeseriesConfig
from moorage_runtime.drift.sinks.alerts import StreamAlerts, Webhook
from moorage_runtime.drift.sinks.archive import NAME, Archive, Group
from moorage_runtime.drift.sinks.delivery import Delivery, Target
from moorage_runtime.drift.sinks.influx import Influx
from moorage_runtime.drift.sinks.points import Identity
from moorage_runtime.drift.sinks.remote_write import RemoteWrite
from moorage_runtime.drift.sinks.stored import decode_change, decode_result, encode_change, encode_result
from moorage_runtime.drift.types import Block, Change, Result


class Sinks:
    """Time series, history and alerts. All methods are for one thread, and only `close` waits for anything."""

    def __init__(self, config: DriftConfig) -> None:
        identity = Identity.of(config)
        self._series: dict[str, Delivery[Result]] = {
            sink.name: Delivery(sink.name, _timeseries(sink, identity)) for sink in config.timeseries
        }
        self._alerts: dict[str, Delivery[Change]] = {
            sink.name: Delivery(sink.name, _alert(sink, identity)) for sink in config.alerts
        }
        self._archive = Archive(config, config.object_store) if config.object_store else None
        self._handed = 0
        self._order: dict[int, int] = {}

    def block(self, block: Block) -> None:
        """Raw events, for the history. Rows that are in it already are left out."""
        if self._archive is not None:
            self._archive.block(block)

    def results(self, results: Sequence[Result], changes: Sequence[Change]) -> None:
        """What was said, for series and history, and whom to tell of it."""
        self._number(results)
        for series in self._series.values():
            series.put(results)
        if self._archive is not None:
            self._archive.results(results)
        for alert in self._alerts.values():
            alert.put(changes)

    def idle(self, partition: str) -> None:
        """Nothing came from the partition for `rotate.seconds`: its open file of events ends."""
        if self._archive is not None:
            self._archive.idle(partition)

    @property
    def open_results(self) -> list[Group]:
        """Of which results a file of the history is open."""
        return self._archive.open_results if self._archive is not None else []

    def end_results(self, groups: Iterable[Group]) -> None:
        """End the open files of these results, since no more of them are to come for now."""
        if self._archive is not None:
            self._archive.end_results(groups)

    def archived(self, partition: str) -> int | None:
        """The offset before which all rows are durable in Parquet; None without a history, or before the
        partition's first block.
        """
        return self._archive.archived(partition) if self._archive is not None else None

    @property
    def full(self) -> bool:
        """No more blocks and results, please, until the object store has taken some."""
        return self._archive is not None and self._archive.full

    def state(self) -> dict[str, Any]:
        """What is not delivered and how far the history goes, as JSON types, for the checkpoint."""
        results: dict[int, tuple[Result, list[str]]] = {}
        changes: dict[int, tuple[Change, list[str]]] = {}
        archive = [(NAME, self._archive.pending)] if self._archive is not None else []
        lasts = self._archive.lasts if self._archive is not None else set()
        for name, waiting in [*((name, sink.pending) for name, sink in self._series.items()), *archive]:
            for result in waiting:
                results.setdefault(id(result), (result, []))[1].append(name)
        for name, alert in self._alerts.items():
            for change in alert.pending:
                changes.setdefault(id(change), (change, []))[1].append(name)
        self._order = {key: self._order[key] for key in results}
        ordered = [results[key] for key in sorted(results, key=self._order.__getitem__)]
        return {
            "archived": self._archive.positions if self._archive is not None else {},
            "results": [
                {"to": to, "result": encode_result(result), "ends_file": id(result) in lasts}
                for result, to in ordered
            ],
            "changes": [{"to": to, "change": encode_change(change)} for change, to in changes.values()],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what another worker's `state` says; before anything else is handed over.

        What is for a sink that is no longer configured is forgotten.
        """
        results = [
            (entry["to"], decode_result(entry["result"]), entry["ends_file"]) for entry in state["results"]
        ]
        changes = [(entry["to"], decode_change(entry["change"])) for entry in state["changes"]]
        self._number([result for _, result, _ in results])
        for name, series in self._series.items():
            series.put([result for to, result, _ in results if name in to])
        for name, alert in self._alerts.items():
            alert.put([change for to, change in changes if name in to])
        if self._archive is not None:
            waiting = [(result, last) for to, result, last in results if NAME in to]
            self._archive.restore(dict(state["archived"]), waiting)

    def status(self) -> list[SinkStatus]:
        """Counts of each sink since the start: points, files, alerts."""
        return [sink.status for sink in self._all()]

    def close(self, timeout: float) -> None:
        """Deliver what can be delivered within `timeout` seconds, and stop; `state` still tells what was not."""
        deadline = time.monotonic() + timeout
        for sink in self._all():
            sink.stop(deadline - time.monotonic())
        for sink in self._all():
            sink.join()

    def _number(self, results: Sequence[Result]) -> None:
        """Remember the order in which results came: sinks that wait each keep some of them."""
        for result in results:
            self._order[id(result)] = self._handed
            self._handed += 1

    def _all(self) -> list[Delivery[Result] | Delivery[Change] | Archive]:
        history = [self._archive] if self._archive is not None else []
        return [*self._series.values(), *history, *self._alerts.values()]


def _timeseries(sink: TimeseriesConfig, identity: Identity) -> Target[Result]:
    if sink.protocol == "influx":
        return Influx(sink.target, sink.database or "moorage", identity)
    return RemoteWrite(sink.target, identity)


def _alert(sink: AlertConfig, identity: Identity) -> Target[Change]:
    if sink.webhook is not None:
        return Webhook(sink.webhook, identity)
    assert sink.stream is not None, f"alert {sink.name}: neither webhook nor stream"
    return StreamAlerts(sink.stream, identity)
