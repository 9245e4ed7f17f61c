"""What a checkpoint's state depends on: where one of these has changed, the state means nothing any more."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from moorage_runtime.config import DriftConfig
from moorage_runtime.storage import FileInfo
from moorage_runtime.streams import kafka_address, stream_path

NAMES = {
    "stream": "the stream",
    "model": "the model",
    "reference": "the reference or what is watched",
    "window": "the window",
}


def identity(config: DriftConfig) -> dict[str, str]:
    """Hashes of what positions, reference and windows depend on. Sinks and decisions are not among it."""
    address = kafka_address(config.stream.uri)
    topic = address[1] if address else stream_path(config.stream.uri).rstrip("/").rpartition("/")[2]
    reference = config.model_dump(
        mode="json",
        include={
            "reference",
            "features",
            "outputs",
            "watched",
            "mlrun_compatible",
            "data_drift",
            "prediction_drift",
        },
    )
    return {
        "stream": _hash(topic),
        "model": _hash(config.model),
        "reference": _hash(reference),
        "window": _hash(config.window.model_dump(mode="json")),
    }


def files_hash(files: Iterable[FileInfo]) -> str:
    """Hash of what is known of the reference's files."""
    return _hash([[one.uri, one.size, one.tag] for one in files])


def changed(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Which parts have changed."""
    return [name for name in NAMES if before.get(name) != now[name]]


def _hash(value: Any) -> str:
    return hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]
