"""Blocks, results and changes as a drift worker would make them, from a seed."""

import math

import numpy as np

from moorage_runtime.config import DriftConfig, DriftState, ReferenceConfig, StreamConfig
from moorage_runtime.drift.types import Block, Change, ConceptResult, Score, Window, WindowResult

START = 1_795_365_900_000_000
"""µs since the epoch: 2026-11-22."""
STATES = [DriftState.NONE, DriftState.POSSIBLE, DriftState.DETECTED]


def monitor(folder="/nowhere", **fields):
    return DriftConfig(
        name="watch",
        namespace="ml",
        model="iris_v1",
        stream=StreamConfig(uri="kafka://127.0.0.1:9/iris.capture"),
        reference=ReferenceConfig(first_rows=1000),
        checkpoint_uri=f"{folder}/checkpoint",
        **fields,
    )


def window_result(
    index, *, partition="0", features=("petal_length", "petal width,=cm"), start=START, infinite=True
):
    random = np.random.default_rng(index)
    end = start + (index + 1) * 1_000_000
    scores = tuple(
        Score(
            name=name,
            role="feature",
            rows=1000,
            p_value=float(random.random()),
            significant=bool(index % 2),
            effect=float(random.random()),
            state=STATES[index % 3],
            statistics={
                "psi": float(random.random()),
                "kl": math.inf if infinite and index % 5 == 4 else float(random.random()),
                "ks": math.nan if index % 7 == 6 else float(random.random()),
            },
        )
        for name in features
    )
    window = Window(
        partition=partition,
        index=index,
        start=end - 1_000_000,
        end=end,
        rows=1000,
        timestamp=end // 1000,
        first_offset=index * 1000,
        last_offset=index * 1000 + 999,
    )
    return WindowResult(
        window=window,
        scores=scores,
        data=STATES[index % 3],
        prediction=DriftState.UNKNOWN,
        general_drift=float(random.random()),
        general_status=index % 3,
        mlrun={"tvd_mean": float(random.random())},
    )


def concept_result(index, *, partition="1"):
    time = START + (index + 1) * 1_000_000
    return ConceptResult(
        partition=partition,
        offset=index * 10 + 9,
        time=time,
        timestamp=time // 1000,
        labelled=index * 10,
        error_rate=index / 100,
        states={"ddm": STATES[index % 3], "adwin": DriftState.UNKNOWN},
        values={"ddm": index / 7, "adwin": math.nan},
        changes=("ddm",) if index % 3 == 2 else (),
    )


def change(index, *, after=DriftState.DETECTED, names=("petal_length",)):
    return Change("data", DriftState.NONE, after, "0", index, START + index * 1_000_000, names)


def block(first, requests, *, partition="0", seed=0, step=100_000, most_rows=3, versions=("v1",)):
    """`requests` messages of one request each from offset `first` on; a row depends on its offset and the seed only."""
    counts, times, ids, number, text, label = [], [], [], [], [], []
    for offset in range(first, first + requests):
        random = np.random.default_rng([seed, offset])
        rows = int(random.integers(1, most_rows + 1))
        counts.append(rows)
        ids.append(f"r{offset}")
        times += [START + offset * step] * rows
        number += [math.nan if random.random() < 0.1 else random.normal() for _ in range(rows)]
        text += [None if random.random() < 0.1 else f"c{random.integers(5)}" for _ in range(rows)]
        label += [float(random.integers(3)) for _ in range(rows)]
    return Block(
        partition=partition,
        first_offset=first,
        next_offset=first + requests,
        offsets=np.repeat(np.arange(first, first + requests), counts),
        times=np.array(times, np.int64),
        request_ids=ids,
        counts=np.array(counts, np.int64),
        first_rows=np.zeros(requests, np.int64),
        latencies=np.arange(requests, dtype=np.int64) + first,
        features={"number": np.array(number), "text": np.array(text, object)},
        predictions={"label": np.array(label), "text": np.array(text, object)},
        versions=[versions[offset % len(versions)] for offset in range(first, first + requests)],
    )
