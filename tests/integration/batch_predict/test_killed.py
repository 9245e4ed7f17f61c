"""Workers that are killed: whatever the moment, the job finishes with the bytes of an undisturbed run."""

import json
import random
import signal

import pytest

from parts import wait_until

from .conftest import FILES, ROWS


def killed(job, times, seed):
    """Start workers and kill them once a random number of parts is there (or even before the plan); then finish."""
    chance = random.Random(seed)
    kills = 0
    for _ in range(times):
        kills += kill_once(job, min(FILES, len(job.parts()) + chance.choice([0, 0, 1, 1, 2, 3])))
    assert job.run() == 0
    return kills


def kill_once(job, enough):
    worker = job.start()
    wait_until(lambda: worker.process.poll() is not None or len(job.parts()) >= enough, "parts")
    return worker.stop(sig=signal.SIGKILL) == -signal.SIGKILL


def check(job, times, seed):
    calm = job("calm")
    assert calm.run() == 0
    wild = job("wild")
    assert killed(wild, times, seed) >= times * 0.9
    assert wild.seen() == calm.seen()
    assert len(wild.parts()) == FILES
    assert wild.table()["id"].to_pylist() == list(range(FILES * ROWS))
    assert wild.status()["state"] == "Finished"
    assert wild.status()["rowsDone"] == FILES * ROWS


def test_three_kills_leave_no_trace(job):
    check(job, 3, seed=5)


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_thirty_kills_leave_no_trace(job):
    check(job, 30, seed=6)


def test_a_part_is_whole_whenever_it_is_there(job):
    from pyarrow import parquet

    one = job("one")
    worker = one.start()
    seen = set()
    while worker.process.poll() is None:
        for part in one.parts():
            if part.name not in seen:
                assert parquet.read_metadata(part).num_rows == ROWS
                seen.add(part.name)
    assert len(one.parts()) == FILES


def test_sigterm_keeps_what_is_done(job):
    one = job("one")
    worker = one.start()
    worker.wait_until(lambda: len(one.parts()) >= 1, "the first part")
    code = worker.stop()
    assert code in (143, 0)
    if code:
        assert json.loads((one.folder / "1.last").read_bytes())["state"] == "Failed"
    assert one.run() == 0
    assert one.table()["id"].to_pylist() == list(range(FILES * ROWS))


def test_indexes_in_parallel_and_two_of_the_same(job):
    calm, many = job("calm"), job("many")
    assert calm.run() == 0
    workers = [many.start(index, parallelism=3) for index in (2, 1, 0, 1, 0)]
    assert [worker.process.wait(120) for worker in workers] == [0] * 5
    assert many.seen() == calm.seen()


def test_a_changed_input_is_a_new_run_beside_the_old(job, published):
    one = job("one")
    assert one.run() == 0
    before = one.seen()
    assert one.run(input={"uri": one.document["input"]["uri"].replace("*", "0*")}) == 0
    after = one.seen()
    assert {name: after[name] for name in before if "latest" not in name} == {
        name: data for name, data in before.items() if "latest" not in name
    }
    latest = json.loads(after["_moorage/latest.json"])
    assert len([name for name in after if name.startswith(latest["folder"])]) == 10
