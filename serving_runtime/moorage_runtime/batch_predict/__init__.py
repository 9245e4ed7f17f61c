"""Predictions over a data set, fragment by fragment."""

from moorage_runtime.config import BatchPredictConfig


def main(config: BatchPredictConfig) -> int:
    """Run the worker; its exit code."""
    from moorage_runtime.batch_predict.main import main as run

    return run(config)
