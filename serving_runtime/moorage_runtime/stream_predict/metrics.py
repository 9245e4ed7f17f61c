"""What the worker tells Prometheus; counted per batch, so that a record costs nothing."""

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)

_RECORDS = (1, 3, 10, 30, 100, 300, 1000, 3000, 10_000)
_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """The worker's figures; the totals are readable for the status, too."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        PlatformCollector(self.registry)
        ProcessCollector(registry=self.registry)
        own = self.registry
        self.consumed_total = self.produced_total = self.dead_lettered_total = 0
        self._consumed = Counter("moorage_stream_consumed_records", "Records read.", registry=own)
        self._produced = Counter(
            "moorage_stream_produced_records", "Predictions written and acknowledged.", registry=own
        )
        self._dead = Counter(
            "moorage_stream_dead_lettered_records", "Records not predicted.", ["reason"], registry=own
        )
        self._batch = Histogram(
            "moorage_stream_batch_records", "Records of a batch.", registry=own, buckets=_RECORDS
        )
        self._seconds = Histogram(
            "moorage_stream_predict_seconds",
            "Arranging and predicting a batch.",
            ["model"],
            registry=own,
            buckets=_SECONDS,
        )
        self._predicted = Counter(
            "moorage_stream_predicted_records", "Records given to a model.", ["model"], registry=own
        )
        self._commits = Counter(
            "moorage_stream_commits", "Positions or transactions committed.", registry=own
        )
        self._aborts = Counter("moorage_stream_aborted_transactions", "Transactions aborted.", registry=own)
        self.lag = Gauge("moorage_stream_lag_records", "Records behind the end of the input.", registry=own)
        self.ready = Gauge("moorage_stream_ready", "1 where the worker consumes.", registry=own)

    def consumed(self, records: int) -> None:
        """A batch was read."""
        self.consumed_total += records
        self._consumed.inc(records)
        self._batch.observe(records)

    def predicted(self, model: str, records: int, seconds: float) -> None:
        """A model saw its part of a batch."""
        self._predicted.labels(model).inc(records)
        self._seconds.labels(model).observe(seconds)

    def settled(self, produced: int, dead: dict[str, int]) -> None:
        """A batch's output records are acknowledged, and its position is kept."""
        self.produced_total += produced
        self._produced.inc(produced)
        for reason, count in dead.items():
            self.dead_lettered_total += count
            self._dead.labels(reason).inc(count)
        self._commits.inc()

    def aborted(self) -> None:
        """A transaction was taken back; its batch is written again."""
        self._aborts.inc()
