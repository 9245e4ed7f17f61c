"""What a person is promised: none missing, or exactly one, whatever is killed, stopped or added."""

import json
import random
import signal

import pytest

from parts import wait_until

# kafka-python leaves sockets to the collector when its consumer is closed while a broker is away
pytestmark = pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning"
)
N = 10_000


def numbers(records):
    return sorted(int(record.key) for record in records)


def killed_at_random(pipeline, times, seed):
    """A worker that is killed `times` times while it predicts; where in its work is left to chance.

    Gives the numbers of the records sent, and of those that came out.
    """
    chance = random.Random(seed)
    worker = pipeline.start()
    port = pipeline.ports[worker.pid]
    for turn in range(times):
        seen = len(set(numbers(pipeline.read())))
        pipeline.send(turn * N, turn * N + N)
        goal = seen + chance.randrange(1, N // 2)
        wait_until(lambda goal=goal: len(set(numbers(pipeline.read()))) >= goal, "some more output", 120)
        worker.stop(sig=signal.SIGKILL)
        worker = pipeline.start(port)
    sent = set(range(times * N))
    wait_until(lambda: set(numbers(pipeline.read())) == sent, "an output for every input", 120)
    assert worker.stop() == 0
    return sent, numbers(pipeline.wait_for(len(sent)))


@pytest.mark.parametrize("times", [3, pytest.param(30, marks=pytest.mark.soak)])
def test_exactly_once_gives_each_input_one_output_under_kill_9(pipeline, times):
    made = pipeline("ExactlyOnce")
    sent, found = killed_at_random(made, times, seed=times)
    assert found == sorted(sent)


@pytest.mark.parametrize("times", [3, pytest.param(30, marks=pytest.mark.soak)])
def test_at_least_once_loses_nothing_under_kill_9(pipeline, times):
    made = pipeline("AtLeastOnce")
    sent, found = killed_at_random(made, times, seed=times)
    assert set(found) == sent


@pytest.mark.parametrize("delivery", ["AtLeastOnce", "ExactlyOnce"])
def test_a_broker_that_stops_is_told_and_waited_for(pipeline, delivery):
    made = pipeline(delivery)
    made.send(0, 5000)
    worker = made.ready(made.start())
    wait_until(lambda: bool(made.read()), "the first output")
    made.kafka.stop()
    try:
        wait_until(lambda: not made.status(worker)["ready"], "the fault in the status")
        wait_until(lambda: made.kafka.bootstrap in made.status(worker).get("error", ""), "the broker's name")
    finally:
        made.kafka.start()
    made.send(5000, 10_000)
    wait_until(lambda: set(numbers(made.read())) == set(range(10_000)), "all output")
    wait_until(lambda: made.status(worker)["ready"], "readiness again")
    assert worker.stop() == 0
    if delivery == "ExactlyOnce":
        assert numbers(made.read()) == list(range(10_000))


@pytest.mark.parametrize("delivery", ["AtLeastOnce", "ExactlyOnce"])
def test_two_workers_share_the_partitions_and_one_takes_over(pipeline, delivery):
    made = pipeline(delivery, partitions=4)
    made.send(0, 10_000)
    first = made.ready(made.start())
    second = made.ready(made.start())
    made.send(10_000, 20_000)
    wait_until(lambda: len(set(numbers(made.read()))) >= 20_000, "output of both")
    assert first.stop() == 0
    made.send(20_000, 30_000)
    wait_until(lambda: set(numbers(made.read())) == set(range(30_000)), "the take-over")
    assert second.stop() == 0
    logs = [made.folder / f"{made.ports[worker.pid]}.log" for worker in (first, second)]
    stopped = [json.loads(log.read_text().splitlines()[-1]) for log in logs]
    assert all(each["consumed"] > 0 for each in stopped)
    assert sum(each["produced"] for each in stopped) >= 30_000
    if delivery == "ExactlyOnce":
        assert numbers(made.read()) == list(range(30_000))
