"""A test's last words: its status, trimmed to at most 4 KiB."""

from moorage_runtime.config import TERMINATION_MAX_BYTES, TestStatus
from moorage_runtime.live_test.answers import ERROR_CLASSES

MESSAGE_MAX = 1024
PROBE_MESSAGE_MAX = 160
LEAST = tuple(f"errors_{name}" for name in ERROR_CLASSES)
MOST = ("total_tests", "errors", "match", "accuracy", "f1_macro", "mean_absolute_error")


def encode(status: TestStatus) -> bytes:
    """The status as JSON of at most TERMINATION_MAX_BYTES.

    Trimmed in this order: long messages, metrics that nothing was expected of (the least telling first), messages
    of passed probes, passed probes, passed metrics, and at last whatever is longest.
    """
    short = status.model_copy(
        update={
            "message": _cut(status.message, MESSAGE_MAX),
            "probes": [
                probe.model_copy(
                    update={"message": _cut(probe.message, PROBE_MESSAGE_MAX) if probe.message else None}
                )
                for probe in status.probes
            ],
        }
    )
    while len(data := _json(short)) > TERMINATION_MAX_BYTES:
        short = _smaller(short)
    return data


def _smaller(status: TestStatus) -> TestStatus:
    free = [metric for metric in status.metrics if metric.passed is None]
    if free:
        worst = max(free, key=lambda metric: _rank(metric.name))
        return status.model_copy(
            update={"metrics": [metric for metric in status.metrics if metric is not worst]}
        )
    if any(probe.passed for probe in status.probes):
        return status.model_copy(update={"probes": [probe for probe in status.probes if not probe.passed]})
    held = [metric for metric in status.metrics if metric.passed]
    if held:
        return status.model_copy(
            update={"metrics": [metric for metric in status.metrics if metric is not held[-1]]}
        )
    if status.probes:
        return status.model_copy(update={"probes": status.probes[:-1]})
    if status.metrics:
        return status.model_copy(update={"metrics": status.metrics[:-1]})
    if len(status.message) > PROBE_MESSAGE_MAX:
        return status.model_copy(update={"message": _cut(status.message, PROBE_MESSAGE_MAX)})
    return status.model_copy(
        update={"report_uri": None, "message": status.message[: len(status.message) // 2]}
    )


def _rank(name: str) -> int:
    if name in MOST:
        return MOST.index(name)
    return 200 + LEAST.index(name) if name in LEAST else 100


def _json(status: TestStatus) -> bytes:
    return status.model_dump_json(by_alias=True, exclude_none=True).encode()


def _cut(text: str, most: int) -> str:
    """At most `most` bytes of UTF-8, an ellipsis where something is cut."""
    raw = text.encode()
    return text if len(raw) <= most else raw[: most - 3].decode(errors="ignore") + "…"
