"""Captured events made by hand, for tests of capture and of those who read it."""

import numpy as np

from moorage_runtime.capture import Event, Source

RECEIVED = 1_795_365_930_920_123_456
"""2026-11-22T16:45:30.920123Z and 456 ns."""


def source(**changes):
    """A source with iris' four features unless changed."""
    fields = {
        "namespace": "ml",
        "serving": "iris",
        "revision": "a1b2c3",
        "model": "iris_v1",
        "version": "v3",
        "digest": "9f" * 32,
        "framework": "sklearn",
        "class_name": "Pipeline",
        "features": ("sepal_length", "sepal_width", "petal_length", "petal_width"),
        "outputs": ("predict",),
        "host": "iris-0",
    }
    return Source(**(fields | changes))


def event(whose, identity="r1", inputs=None, outputs=None, **changes):
    """One event; one row of iris unless changed."""
    fields = {
        "operation": "infer",
        "inputs": np.array([[5.1, 3.5, 1.4, 0.2]]) if inputs is None else inputs,
        "outputs": {"predict": np.array([0])} if outputs is None else outputs,
        "received": RECEIVED,
        "latency": 2_250_014_000,
    }
    return Event(source=whose, request_id=identity, **(fields | changes))
