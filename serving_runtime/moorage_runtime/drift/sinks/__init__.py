"""Where results go: time-series databases, Parquet, webhooks, topics."""

from moorage_runtime.drift.sinks.facade import Sinks

__all__ = ["Sinks"]
