"""The steps of a test, in order. Everything that can be refused is tried before the first measured request."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import numpy as np
import orjson

from moorage_runtime.config import MetricResult, TestConfig
from moorage_runtime.live_test import expect, timing
from moorage_runtime.live_test.answers import PREDICTION, PROBABILITIES, Answer, tensors
from moorage_runtime.live_test.client import Client, Unanswered, open_client, public_url
from moorage_runtime.live_test.dataset import Sample, read_sample
from moorage_runtime.live_test.fault import TestFault
from moorage_runtime.live_test.limits import Limits
from moorage_runtime.live_test.load import Ids, Progress, Sender, closed_loop, open_loop, warm_up
from moorage_runtime.live_test.metrics import Scores, judge
from moorage_runtime.live_test.probes import identity, negative, skew
from moorage_runtime.live_test.report import Report
from moorage_runtime.live_test.tensors import Served, inputs, tails
from moorage_runtime.live_test.verdict import decide, refuse_silence

SCORED_AT_ONCE = 100
"""Rows of one request for class probabilities."""


async def run(config: TestConfig, limits: Limits, progress: Progress) -> Report:
    """Carry out the test. Never raises for what the world does: that is verdict Error with a message."""
    now = _now()
    report = Report(config, f"{config.name}-{now:%Y%m%dt%H%M%Sz}", _text(now))
    try:
        await _steps(report, limits, progress)
    except TestFault as fault:
        report.message = str(fault)
    except asyncio.CancelledError:
        report.message = "stopped by a signal before it ended"
    except Exception as error:  # noqa: BLE001 - whatever happens, a test ends with a verdict and last words
        report.message = f"internal error: {type(error).__name__}: {error}"
    report.finished_at = _text(_now())
    return report


async def _steps(report: Report, limits: Limits, progress: Progress) -> None:
    config = report.config
    ids = Ids(uuid.uuid4().hex[:12])
    sample = report.sample = await asyncio.to_thread(read_sample, config.dataset, config.storage)
    if sample.unlabelled:
        report.notes.append(f"{sample.unlabelled} rows of the data set have no label and were left out")
    count, connections = _size(config, limits, len(sample))
    if count < len(sample):
        report.notes.append(
            f"rate and duration make {count} requests: {len(sample) - count} records were not sent"
        )
    async with open_client(config, limits, connections) as client, _capture(config) as watch:
        before = report.before = await identity.look(client, limits.patience)
        bodies = tails(sample, before)
        expected: list[Any] = []
        if config.skew is not None:
            expected = await asyncio.to_thread(skew.offline, config.skew, sample, before, config.storage)
        try:
            await warm_up(client, ids, bodies, min(connections, count))
        except Unanswered as error:
            raise TestFault(f"{public_url(config.url)} does not answer: {error}") from error
        report.answers = await _send(
            config, limits, Sender(client, ids, bodies, sample.classes), count, progress
        )
        refuse_silence(report.answers, config.expect)
        good = [answer for answer in report.answers if answer.error is None]
        scores = await _scores(client, sample, before, ids, report.notes)
        _judge(report, sample, good, scores)
        if config.skew is not None:
            pairs = [(answer.record, answer.prediction) for answer in good]
            result, metrics = skew.compare(pairs, expected, config.skew.tolerance, sample.rows)
            report.probes.append(result)
            report.metrics += metrics
        if watch is not None:
            report.probes.append(await watch.check([answer.request_id for answer in good], limits.capture))
        if config.negative:
            known = next((answer.prediction for answer in good if answer.record == 0), None)
            report.probes += await negative.probe(client, sample, before, ids, known)
        after = report.after = await identity.look(client, limits.patience)
    report.probes = identity.compare(before, after, config.expected_digest) + report.probes
    report.metrics = expect.apply(report.metrics, expect.bounds(config.expect), report.notes)
    report.verdict, report.message = decide(report.metrics, report.probes, report.answers)


@asynccontextmanager
async def _capture(config: TestConfig) -> AsyncIterator[Any]:
    if config.capture is None:
        yield None
        return
    from moorage_runtime.live_test.probes.capture import CaptureWatch

    watch = await CaptureWatch.open(config.capture)
    try:
        yield watch
    finally:
        await watch.close()


def _size(config: TestConfig, limits: Limits, records: int) -> tuple[int, int]:
    """How many requests and connections. Raises TestFault for more requests than are kept."""
    load = config.load
    if not load.requests_per_second or not load.duration_seconds:
        return records, load.concurrency or 1
    count = load.requests_per_second * load.duration_seconds
    if count > limits.requests:
        raise TestFault(f"load: {count} requests in one run are more than {limits.requests}")
    return count, load.concurrency or limits.connections


async def _send(
    config: TestConfig, limits: Limits, send: Sender, count: int, progress: Progress
) -> list[Answer]:
    rate = config.load.requests_per_second
    if rate and config.load.duration_seconds:
        answers = await open_loop(send, count, rate, limits.in_flight, progress)
    else:
        answers = await closed_loop(send, count, config.load.concurrency or 1, progress)
    return sorted(answers, key=lambda answer: answer.started)


async def _scores(client: Client, sample: Sample, model: Served, ids: Ids, notes: list[str]) -> Scores | None:
    """Class probabilities of all records, asked for apart from the measured requests and many rows at once.

    A server that offers them and does not give them is noted, and the test goes on without.
    """
    if PROBABILITIES not in {output.name for output in model.outputs}:
        return None
    found: list[list[Any]] = []
    for start in range(0, len(sample), SCORED_AT_ONCE):
        records = range(start, min(start + SCORED_AT_ONCE, len(sample)))
        body = {
            "id": ids.other(f"scores-{start}"),
            "inputs": inputs(sample, model, records),
            "outputs": [{"name": PREDICTION}, {"name": PROBABILITIES}],
        }
        try:
            reply = await client.infer(orjson.dumps(body))
            found += tensors(reply.body)[PROBABILITIES].rows(len(records))
        except (Unanswered, ValueError, KeyError, TypeError) as error:
            notes.append(f"log_loss and roc_auc are left out: {PROBABILITIES} was not given ({error})")
            return None
    return Scores(list(range(len(sample))), np.array(found, np.float64))


def _judge(report: Report, sample: Sample, good: list[Answer], scores: Scores | None) -> None:
    counts = timing.counts(report.answers)
    report.metrics = counts[:2]
    if good:
        labels = [sample.labels[answer.record] for answer in good]
        try:
            quality = judge(
                labels, [answer.prediction for answer in good], sample.classes, scores, sample.labels
            )
        except (TypeError, ValueError) as error:
            raise TestFault(
                f"the answers cannot be compared with column {report.config.dataset.label_column!r}: {error}"
            ) from error
        report.quality = quality
        report.notes += quality.notes
        matches = int(quality.correct.sum())
        report.metrics += [MetricResult(name="match", value=matches, unit="requests"), *quality.metrics]
    open_loop_ = bool(report.config.load.requests_per_second and report.config.load.duration_seconds)
    report.metrics += timing.timing(report.answers, open_loop=open_loop_) + counts[2:]


def _now() -> datetime:
    return datetime.now(UTC)


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
