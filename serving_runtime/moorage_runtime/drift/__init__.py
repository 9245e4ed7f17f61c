"""Watches captured events for drift, window by window."""

from moorage_runtime.config import DriftConfig


def main(config: DriftConfig) -> int:
    """Run the worker; its exit code."""
    from moorage_runtime.drift.main import main as run

    return run(config)
