"""Which rows are traffic, and may be judged: none of a live test, and none that claims to be of a day to come.

One row of the far future would make all that follow it in its partition late, and date their windows with it.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from moorage_runtime.capture import TEST_ID
from moorage_runtime.drift.types import Block, Run

AHEAD = 86_400_000_000
"""µs that an event may be ahead of the clock: more than any time zone that a sender may have left out."""
_APART = "\n"


def traffic(block: Block, horizon: int) -> tuple[Block, Counter[str]]:
    """The rows that are traffic and not of a time after `horizon` (µs), and how many others there are, by reason."""
    tested = TEST_ID in _APART.join(block.request_ids)
    if not block.rows or (not tested and int(block.times.max()) <= horizon):
        return block, Counter()
    tests = np.array([name.startswith(TEST_ID) for name in block.request_ids], bool)
    of_tests = np.repeat(tests, block.counts)
    kept = ~of_tests & (block.times <= horizon)
    if kept.all():
        return block, Counter()
    skipped = Counter(
        live_test=int(np.count_nonzero(of_tests)),
        future=int(np.count_nonzero(~of_tests & ~kept)),
    )
    return _rows(block, kept), +skipped


def _rows(block: Block, kept: NDArray[np.bool_]) -> Block:
    """The block with these rows only, of each request all or none: they have one time."""
    requests = np.repeat(np.arange(len(block.counts)), block.counts)
    counts = np.bincount(requests[kept], minlength=len(block.counts))
    some = np.flatnonzero(counts)
    return replace(
        block,
        offsets=block.offsets[kept],
        times=block.times[kept],
        request_ids=[block.request_ids[at] for at in some.tolist()],
        counts=counts[some],
        first_rows=block.first_rows[some],
        latencies=block.latencies[some],
        features={name: column[kept] for name, column in block.features.items()},
        predictions={name: column[kept] for name, column in block.predictions.items()},
        versions=[block.versions[at] for at in some.tolist()] if block.versions else [],
        runs=tuple(_kept_runs(block.runs, kept)),
    )


def _kept_runs(runs: Sequence[Run], kept: NDArray[np.bool_]) -> Iterator[Run]:
    begin = 0
    for run in runs:
        yield replace(run, rows=int(np.count_nonzero(kept[begin : begin + run.rows])))
        begin += run.rows
