"""One captured request, as the server hands it over. The wire forms are in `capture.formats`."""

from dataclasses import dataclass

from moorage_runtime.models.base import Inputs, Outputs


@dataclass(frozen=True, slots=True)
class Source:
    """Who predicted; one object for the life of a loaded model, shared by all of its events."""

    namespace: str
    serving: str
    revision: str
    model: str
    version: str | None
    digest: str | None
    framework: str
    class_name: str
    """Name of the estimator's or the user's class, `class` of MLRun's events."""
    features: tuple[str, ...]
    outputs: tuple[str, ...]
    host: str


@dataclass(slots=True)
class Event:
    """One request and what came of it. Nothing in it is changed once it was made (it is not frozen because
    making a frozen one takes four times as long, on the server's hot path).

    Times are integers: `received` in ns since the epoch, `latency` in ns.
    """

    source: Source
    request_id: str
    operation: str
    """infer, predict, explain or the name of the user's op_*."""
    inputs: Inputs
    outputs: Outputs
    received: int
    latency: int
