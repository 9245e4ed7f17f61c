"""What a Job does next, whatever state its pods are in."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moorage_operator.local.backoff import Backoff
from moorage_operator.local.controllers import completion
from moorage_operator.local.controllers.completion import PodView, index_ranges, parse_ranges
from moorage_operator.local.kubelet.identity import with_index

NOW = datetime(2026, 1, 1, tzinfo=UTC)
BACKOFF = Backoff(first=10.0, most=100.0)


def job(**spec):
    return {"metadata": {"name": "j"}, "spec": spec}


def indexed(completions=4, parallelism=4, **spec):
    return job(completionMode="Indexed", completions=completions, parallelism=parallelism, **spec)


def pod(index, phase="Running", *, ago=3600.0, ending=False):
    return PodView(index, phase, NOW - timedelta(seconds=ago), ending=ending)


def pods(*phases):
    return [pod(None, phase) for phase in phases]


def step(made, *views):
    return completion.step(made, views, BACKOFF, NOW)


@pytest.mark.parametrize(
    ("spec", "phases", "ended"),
    [
        ({}, ["Running"], None),
        ({}, ["Succeeded"], "Complete"),
        ({"backoffLimit": 0}, ["Failed"], "Failed"),
        ({"backoffLimit": 1}, ["Failed"], None),
        ({"backoffLimit": 1}, ["Failed", "Failed"], "Failed"),
        ({"backoffLimit": 1}, ["Failed", "Succeeded"], "Complete"),
        ({}, ["Failed"] * 6, None),
        ({}, ["Failed"] * 7, "Failed"),
    ],
)
def test_what_the_pods_of_a_job_come_to(spec, phases, ended):
    written = completion.status(job(**spec), pods(*phases), NOW)
    assert completion.finished({"status": written}) == ended
    assert (written["succeeded"], written["failed"]) == (phases.count("Succeeded"), phases.count("Failed"))
    assert "completedIndexes" not in written


def test_a_job_that_is_active_for_too_long_has_failed():
    late = job(activeDeadlineSeconds=10)
    late["status"] = completion.status(late, pods("Running"), NOW)
    assert completion.step(late, pods("Running"), BACKOFF, NOW).again == 10
    written = completion.status(late, pods("Running"), NOW + timedelta(seconds=10))
    assert written["conditions"][0]["reason"] == "DeadlineExceeded"
    assert completion.step(late, pods("Running"), BACKOFF, NOW + timedelta(seconds=10)).stop


@pytest.mark.parametrize(
    ("reason", "made", "views", "start"),
    [
        ("nothing runs yet", job(), [], (None,)),
        ("one at a time", job(), [pod(None)], ()),
        ("three of which two at once", job(completions=3, parallelism=2), [], (None, None)),
        (
            "the third follows",
            job(completions=3, parallelism=2),
            [pod(None, "Succeeded"), pod(None)],
            (None,),
        ),
        ("every index at once", indexed(), [], (0, 1, 2, 3)),
        ("two at once, lowest first", indexed(parallelism=2), [], (0, 1)),
        ("the next one follows", indexed(parallelism=2), [pod(0, "Succeeded"), pod(1)], (2,)),
        ("what is done is not done again", indexed(), [pod(1, "Succeeded"), pod(3, "Succeeded")], (0, 2)),
        ("a failed index again", indexed(2, 2), [pod(0, "Failed"), pod(1)], (0,)),
        ("one that ends keeps its index", indexed(2, 2), [pod(0, ending=True), pod(1)], ()),
        ("and its room", indexed(2, 1), [pod(0, ending=True)], ()),
    ],
)
def test_what_starts(reason, made, views, start):
    assert step(made, *views).start == start, reason


def test_an_index_that_failed_waits_for_its_own_failures_while_others_go_on():
    views = [pod(0, "Failed", ago=30), pod(0, "Failed", ago=5), pod(1, "Failed", ago=12)]
    found = step(indexed(3, 3, backoffLimit=9), *views)
    assert found.start == (1, 2)
    assert found.again == 15


def test_an_index_that_waits_leaves_its_room_to_the_next():
    assert step(indexed(3, 1), pod(0, "Failed", ago=1)).start == (1,)


def test_too_many_failures_of_all_indexes_together_end_the_job():
    views = [pod(0, "Failed"), pod(1, "Failed"), pod(1, "Failed"), pod(0), pod(1)]
    assert not step(indexed(2, 2, backoffLimit=3), *views).stop
    assert step(indexed(2, 2, backoffLimit=2), *views).stop
    written = completion.status(indexed(2, 2, backoffLimit=2), views, NOW)
    assert written["conditions"][0]["reason"] == "BackoffLimitExceeded"


@pytest.mark.parametrize(
    ("operator", "code", "ended"),
    [("In", 2, True), ("In", 1, False), ("NotIn", 1, True), ("NotIn", 2, False)],
)
def test_a_failure_that_the_policy_calls_final_ends_the_job_at_once(operator, code, ended):
    rule = {"action": "FailJob", "onExitCodes": {"operator": operator, "values": [2]}}
    ignored = {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}
    made = indexed(2, 2, podFailurePolicy={"rules": [ignored, rule]})
    views = [PodView(0, "Failed", NOW - timedelta(hours=1), exit_code=code), pod(1)]
    assert step(made, *views).stop is ended
    found = completion.verdict({"status": completion.status(made, views, NOW)})
    assert (found and found["reason"]) == ("PodFailurePolicy" if ended else None)


def test_status_names_the_indexes_that_are_done():
    views = [pod(0, "Succeeded"), pod(1, "Failed"), pod(1), pod(2, "Succeeded"), pod(3, ending=True)]
    written = completion.status(indexed(), views, NOW)
    assert (written["completedIndexes"], written["succeeded"]) == ("0,2", 2)
    assert (written["active"], written["failed"]) == (1, 1)


def test_an_index_stays_done_when_its_pod_is_removed():
    made = indexed(2, 2)
    made["status"] = completion.status(made, [pod(0, "Succeeded")], NOW)
    assert step(made).start == (1,)
    assert completion.finished({"status": completion.status(made, [pod(1, "Succeeded")], NOW)}) == "Complete"


def test_suspending_ends_what_runs_and_resuming_goes_on_with_what_is_left():
    made = indexed(2, 2, activeDeadlineSeconds=60)
    made["status"] = completion.status(made, [pod(0, "Succeeded"), pod(1)], NOW - timedelta(hours=1))
    made["spec"]["suspend"] = True
    assert step(made, pod(0, "Succeeded"), pod(1)) == completion.Step(stop=True)
    made["status"] = held = completion.status(made, [pod(0, "Succeeded")], NOW)
    assert [(one["type"], one["status"]) for one in held["conditions"]] == [("Suspended", "True")]
    assert "startTime" not in held
    assert completion.status(made, [pod(0, "Succeeded")], NOW + timedelta(hours=1)) == held
    made["spec"]["suspend"] = False
    assert step(made, pod(0, "Succeeded")).start == (1,)
    resumed = completion.status(made, [pod(0, "Succeeded"), pod(1)], NOW)
    assert [(one["type"], one["status"]) for one in resumed["conditions"]] == [("Suspended", "False")]
    assert resumed["startTime"] == "2026-01-01T00:00:00Z"
    done = completion.status({**made, "status": resumed}, [pod(0, "Succeeded"), pod(1, "Succeeded")], NOW)
    assert completion.verdict({"status": done})["type"] == "Complete"


@pytest.mark.parametrize(
    ("indexes", "text"), [([], ""), ([3], "3"), ([0, 1], "0,1"), ([4, 2, 3, 0, 7], "0,2-4,7")]
)
def test_ranges_of_indexes_are_written_as_kubernetes_does(indexes, text):
    assert index_ranges(indexes) == text


@given(st.sets(st.integers(0, 300)))
def test_ranges_of_indexes_are_read_back(indexes):
    assert parse_ranges(index_ranges(indexes)) == indexes


@given(
    completions=st.integers(1, 6),
    parallelism=st.integers(1, 6),
    fates=st.lists(st.sampled_from(["Succeeded", "Failed"]), max_size=12),
)
def test_every_index_succeeds_once_and_never_more_run_at_once_than_allowed(completions, parallelism, fates):
    made, views, fates = indexed(completions, parallelism, backoffLimit=100), [], list(fates)
    for _ in range(60):
        views += [pod(index) for index in step(made, *views).start]
        running = [at for at, view in enumerate(views) if view.phase == "Running"]
        assert len(running) <= parallelism
        if not running:
            break
        index = views[running[0]].index
        views[running[0]] = pod(index, fates.pop() if fates else "Succeeded")
        made["status"] = completion.status(made, views, NOW)
    assert completion.finished(made) == "Complete"
    assert sorted(view.index for view in views if view.phase == "Succeeded") == list(range(completions))


def test_a_pod_is_told_its_index():
    template = {
        "metadata": {"labels": {"a": "b"}},
        "spec": {"containers": [{"name": "c", "env": [{"name": "JOB_COMPLETION_INDEX", "value": "9"}]}]},
    }
    numbered = with_index(template, 3)
    assert numbered["metadata"]["annotations"] == {"batch.kubernetes.io/job-completion-index": "3"}
    assert numbered["metadata"]["labels"] == {"a": "b", "batch.kubernetes.io/job-completion-index": "3"}
    (entry,) = numbered["spec"]["containers"][0]["env"]
    path = "metadata.annotations['batch.kubernetes.io/job-completion-index']"
    assert entry["valueFrom"]["fieldRef"]["fieldPath"] == path
    assert "annotations" not in template["metadata"]
