"""Counts of the hot path as plain integers; prometheus-client reads them only when it is asked."""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from moorage_runtime.config import CaptureStatus, ModelState, ModelStatus
from moorage_runtime.http.exchange import Gate

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096)


class Histogram:
    """Fixed upper bounds; `counts` has one more for what lies beyond."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        """One observation."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def buckets(self) -> list[tuple[str, float]]:
        """Cumulative counts as Prometheus wants them."""
        result, running = [], 0
        for bound, count in zip((*map(str, self.bounds), "+Inf"), self.counts, strict=True):
            running += count
            result.append((bound, float(running)))
        return result


class RouteMeter:
    """Answers of one model in one dialect."""

    __slots__ = ("codes", "dialect", "model", "seconds")

    def __init__(self, model: str, dialect: str) -> None:
        self.model = model
        self.dialect = dialect
        self.codes: dict[int, int] = {}
        self.seconds = Histogram(SECONDS)

    def count(self, status: int, nanoseconds: int) -> None:
        """One answer."""
        self.codes[status] = self.codes.get(status, 0) + 1
        self.seconds.add(nanoseconds / 1e9)


class BatchMeter:
    """Predict calls of one model."""

    __slots__ = ("model", "rows")

    def __init__(self, model: str) -> None:
        self.model = model
        self.rows = Histogram(ROWS)

    def batch(self, rows: int) -> None:
        """One call."""
        self.rows.add(rows)


class Metrics(Collector):
    """All figures of a server; `/metrics` is `expose()`."""

    def __init__(
        self,
        gate: Gate,
        models: Callable[[], Iterable[ModelStatus]],
        capture: Callable[[], CaptureStatus | None],
    ) -> None:
        self._gate = gate
        self._models = models
        self._capture = capture
        self._routes: dict[tuple[str, str], RouteMeter] = {}
        self._batches: dict[str, BatchMeter] = {}
        self._registry = CollectorRegistry()
        self._registry.register(self)
        PlatformCollector(self._registry)
        ProcessCollector(registry=self._registry)

    def route(self, model: str, dialect: str) -> RouteMeter:
        """The meter of a model in a dialect; the same one each time."""
        return self._routes.setdefault((model, dialect), RouteMeter(model, dialect))

    def batches(self, model: str) -> BatchMeter:
        """The meter of a model's predict calls."""
        return self._batches.setdefault(model, BatchMeter(model))

    def expose(self) -> bytes:
        """Prometheus' text format."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """Prometheus' view of the counts."""
        labels = ["model", "dialect"]
        requests = CounterMetricFamily("moorage_requests", "Answered requests.", labels=[*labels, "code"])
        seconds = HistogramMetricFamily(
            "moorage_request_duration_seconds", "From a request's last byte to its answer.", labels=labels
        )
        for meter in self._routes.values():
            for code, count in meter.codes.items():
                requests.add_metric([meter.model, meter.dialect, str(code)], count)
            if meter.codes:
                seconds.add_metric([meter.model, meter.dialect], meter.seconds.buckets(), meter.seconds.total)
        rows = HistogramMetricFamily("moorage_batch_rows", "Rows of a predict call.", labels=["model"])
        for batch in self._batches.values():
            rows.add_metric([batch.model], batch.rows.buckets(), batch.rows.total)
        yield from (requests, seconds, rows)
        yield GaugeMetricFamily(
            "moorage_in_flight_requests", "Predictions being worked on.", value=self._gate.in_flight
        )
        yield GaugeMetricFamily(
            "moorage_in_flight_body_bytes",
            "Request bodies that are being received or not answered.",
            value=self._gate.body_bytes,
        )
        yield from self._of_models()
        yield from self._of_capture()

    def _of_models(self) -> Iterator[Metric]:
        names = ["model", "version", "digest", "framework", "predictor"]
        info = GaugeMetricFamily("moorage_model_info", "What is served; always 1.", labels=names)
        ready = GaugeMetricFamily("moorage_model_ready", "1 where the model is loaded.", labels=["model"])
        for model in self._models():
            ready.add_metric([model.name], float(model.state is ModelState.READY))
            values = (model.version, model.digest, model.framework, model.predictor)
            info.add_metric([model.name, *(value or "" for value in values)], 1)
        yield from (info, ready)

    def _of_capture(self) -> Iterator[Metric]:
        status = self._capture()
        if status is None:
            return
        events = CounterMetricFamily("moorage_capture_events", "Captured events by fate.", labels=["fate"])
        for fate in ("captured", "dropped", "delivered"):
            events.add_metric([fate], getattr(status, fate))
        yield events
        yield GaugeMetricFamily(
            "moorage_capture_pending_events",
            "Captured events that the stream does not have yet.",
            value=status.captured - status.dropped - status.delivered,
        )
