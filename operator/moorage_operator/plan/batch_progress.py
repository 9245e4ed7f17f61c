"""How far a run is: the reports of its workers added up, in figures that change seldom. Pure arithmetic."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby

from moorage_operator.plan import conditions
from moorage_operator.plan.types import Object, Report
from moorage_runtime.config import BatchPredictStatus

STEP_SECONDS = 10
"""Counts move in steps of at least so much work."""
_ORDER = ("Failed", "Planning", "Predicting", "Finished")
"""What a worker's pods say of it, the later word last: a pod that was tried again has the say."""


@dataclass(frozen=True, slots=True)
class Progress:
    """The workers of one run, by index: the furthest that any of its pods got."""

    workers: Mapping[int, BatchPredictStatus]
    run: str | None
    rows_total: int | None
    rows_done: int
    fragments_total: int | None
    fragments_done: int
    rejected: bool
    """Whether rows could not be predicted."""
    started_at: datetime | None
    finished_at: datetime | None
    """Of the worker that finished last."""
    output_uri: str | None

    @property
    def failed(self) -> list[BatchPredictStatus]:
        """Workers whose last pod has failed, in the order of their indexes."""
        return [said for said in self.workers.values() if said.state == "Failed"]


def of(reports: Iterable[Report]) -> Progress:
    """The progress of the newest run among the reports of one Job's pods."""
    told = [report.status for report in reports if isinstance(report.status, BatchPredictStatus)]
    newest = max((each for each in told if each.run), key=lambda each: each.started_at or "", default=None)
    run = newest.run if newest else None
    told = [each for each in told if each.run in (None, run)]
    by_index = sorted(told, key=lambda each: each.index)
    workers = {index: _furthest(list(found)) for index, found in groupby(by_index, lambda each: each.index)}
    return Progress(
        workers=workers,
        run=run,
        rows_total=max((each.rows_total for each in told if each.rows_total is not None), default=None),
        rows_done=_summed({index: [each.rows_done for each in _of(told, index)] for index in workers}),
        fragments_total=max(
            (each.fragments_total for each in told if each.fragments_total is not None), default=None
        ),
        fragments_done=_summed(
            {index: [each.fragments_done for each in _of(told, index)] for index in workers}
        ),
        rejected=any(each.rows_rejected for each in told),
        started_at=min(_times(each.started_at for each in told), default=None),
        finished_at=max(_times(each.finished_at for each in told), default=None),
        output_uri=next((each.output_uri for each in told if each.output_uri), None),
    )


def fields(now_at: Progress, former: Object, *, ended: bool, now: datetime) -> Object:
    """Counts and times of a status; `former` is what it said of the same run before.

    Until the end they change in round steps of at least ten seconds' work, and never go back. The estimate is
    renewed with them, or when it has passed.
    """
    started = conditions.parsed(former.get("startedAt")) or now_at.started_at
    elapsed = (now - started).total_seconds() if started else 0.0

    def shown(done: int, key: str) -> int:
        before = former.get(key)
        stepped = done if ended else done - done % _step(done, elapsed)
        return max(stepped, before) if isinstance(before, int) else stepped

    known = bool(now_at.workers)
    rows_total = _either(now_at.rows_total, former.get("rowsTotal"))
    counts = {
        "rowsDone": shown(now_at.rows_done, "rowsDone") if known else former.get("rowsDone"),
        "fragmentsDone": shown(now_at.fragments_done, "fragmentsDone")
        if known
        else former.get("fragmentsDone"),
    }
    moved = any(former.get(key) != value for key, value in counts.items())
    estimate = former.get("estimatedFinishAt")
    passed = conditions.parsed(estimate)
    if moved or passed is None or passed < now:
        estimate = _estimate(counts["rowsDone"], rows_total, elapsed, now)
    return {
        **counts,
        "rowsTotal": rows_total,
        "fragmentsTotal": _either(now_at.fragments_total, former.get("fragmentsTotal")),
        "startedAt": conditions.rfc3339(started) if started else None,
        "estimatedFinishAt": None if ended else estimate,
        "run": now_at.run or former.get("run"),
        "outputUri": now_at.output_uri or former.get("outputUri"),
    }


def _of(told: Iterable[BatchPredictStatus], index: int) -> list[BatchPredictStatus]:
    return [each for each in told if each.index == index]


def _summed(by_index: Mapping[int, Sequence[int]]) -> int:
    """The greatest of each index, added up: a pod that was tried again counts what the one before it did too."""
    return sum(max(counts) for counts in by_index.values())


def _furthest(told: Sequence[BatchPredictStatus]) -> BatchPredictStatus:
    return max(told, key=lambda each: (_ORDER.index(each.state), each.finished_at or ""))


def _times(written: Iterable[str | None]) -> list[datetime]:
    return [time for each in written for time in [conditions.parsed(each)] if time]


def _step(done: int, elapsed: float) -> int:
    """The least of 1, 2, 5, 10, 20, 50 … that takes ten seconds at the rate so far."""
    wanted = done / elapsed * STEP_SECONDS if elapsed > 0 else done
    step = 1
    while True:
        for factor in (1, 2, 5):
            if step * factor >= wanted:
                return step * factor
        step *= 10


def _estimate(done: int | None, total: int | None, elapsed: float, now: datetime) -> str | None:
    """When the rest will be done at the rate so far, in whole ten seconds."""
    if not done or not total or elapsed <= 0:
        return None
    left = max(0, total - done) * elapsed / done
    at = (now + timedelta(seconds=left)).timestamp()
    return conditions.rfc3339(datetime.fromtimestamp(-(-at // STEP_SECONDS) * STEP_SECONDS, UTC))


def _either(told: int | None, before: int | None) -> int | None:
    return before if told is None else told
