"""Predictions from a topic to a topic."""

from moorage_runtime.config import StreamPredictConfig


def main(config: StreamPredictConfig) -> int:
    """Run the worker; its exit code."""
    from moorage_runtime.stream_predict.main import main as run

    return run(config)
