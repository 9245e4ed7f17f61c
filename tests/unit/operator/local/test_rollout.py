"""What a Deployment does next, whatever state its pods are in."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moorage_operator.local.controllers import rollout
from moorage_operator.local.controllers.rollout import PodView, Step

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def deployment(replicas=1, surge=1, unavailable=0, **more):
    return {
        "metadata": {"name": "iris", "generation": 2},
        "spec": {
            "replicas": replicas,
            "strategy": {"rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}},
        },
        **more,
    }


def pod(name, template="new", *, ready=True, created=0.0):
    return PodView(name, template, ready, created)


@pytest.mark.parametrize(
    ("reason", "replicas", "pods", "step"),
    [
        ("nothing runs yet", 2, [], Step(2)),
        ("all is as wanted", 1, [pod("a")], Step()),
        ("starting is no reason to start more", 1, [pod("a", ready=False)], Step()),
        ("a new revision gets one pod beside the old ones", 2, [pod("a", "old"), pod("b", "old")], Step(1)),
        ("an old one stays until the new one is ready", 1, [pod("a", "old"), pod("b", ready=False)], Step()),
        ("then it goes", 1, [pod("a", "old"), pod("b")], Step(0, ("a",))),
        (
            "two by two: no third pod beyond the surge",
            2,
            [pod("a", "old", created=1.0), pod("b", "old", created=2.0), pod("c")],
            Step(0, ("b",)),
        ),
        ("the next new one follows", 2, [pod("a", "old"), pod("c")], Step(1)),
        (
            "a bad second revision goes first when a third comes",
            1,
            [pod("a", "old"), pod("b", "bad", ready=False)],
            Step(0, ("b",)),
        ),
        (
            "an old pod that restarts beside a bad new one is not given up",
            1,
            [pod("a", "old", ready=False), pod("b", ready=False)],
            Step(),
        ),
        ("an old pod without any new one: the new one starts", 1, [pod("a", "old", ready=False)], Step(1)),
        ("scaled down: unready ones first", 1, [pod("a"), pod("b", ready=False)], Step(0, ("b",))),
        (
            "scaled down: then the youngest",
            1,
            [pod("a", created=1.0), pod("b", created=2.0)],
            Step(0, ("b",)),
        ),
        ("scaled to zero, old and new alike", 0, [pod("a", "old"), pod("b")], Step(0, ("a", "b"))),
    ],
)
def test_step(reason, replicas, pods, step):
    found = rollout.step(deployment(replicas), "new", pods)
    assert (found.start, sorted(found.stop)) == (step.start, sorted(step.stop)), reason


@pytest.mark.parametrize(
    ("replicas", "surge", "unavailable", "bounds"),
    [(4, "25%", "25%", (1, 1)), (1, "25%", "25%", (1, 0)), (10, "25%", "25%", (3, 2)), (3, 0, 0, (1, 0))],
)
def test_bounds(replicas, surge, unavailable, bounds):
    assert rollout.bounds(deployment(replicas, surge, unavailable)) == bounds


@given(
    replicas=st.integers(0, 5),
    pods=st.lists(st.tuples(st.sampled_from(["new", "old", "older"]), st.booleans()), max_size=8),
    surge=st.integers(1, 3),
)
def test_a_step_never_costs_readiness_and_never_exceeds_the_surge(replicas, pods, surge):
    views = [pod(f"p{i}", template, ready=ready) for i, (template, ready) in enumerate(pods)]
    step = rollout.step(deployment(replicas, surge), "new", views)
    left = [view for view in views if view.name not in step.stop]
    ready_before = sum(view.ready for view in views)
    assert sum(view.ready for view in left) >= min(ready_before, replicas)
    if step.start:
        assert len(views) + step.start <= replicas + surge


@given(
    replicas=st.integers(0, 4),
    pods=st.lists(st.tuples(st.sampled_from(["new", "old", "older"]), st.booleans()), max_size=6),
)
def test_steps_lead_to_the_wanted_pods_where_new_ones_become_ready(replicas, pods):
    views = [pod(f"p{i}", template, ready=ready) for i, (template, ready) in enumerate(pods)]
    for turn in range(40):
        views = [PodView(v.name, v.template, v.ready or v.template == "new", v.created) for v in views]
        step = rollout.step(deployment(replicas), "new", views)
        if step == Step():
            break
        views = [view for view in views if view.name not in step.stop]
        views += [pod(f"n{turn}.{i}", ready=False) for i in range(step.start)]
    assert [view.template for view in views] == ["new"] * replicas


def conditions(status):
    return {entry["type"]: (entry["status"], entry["reason"]) for entry in status["conditions"]}


def test_status_while_a_new_revision_starts():
    status = rollout.status(deployment(), "new", [pod("a", "old"), pod("b", ready=False)], NOW)
    assert status["observedGeneration"] == 2
    assert (status["replicas"], status["updatedReplicas"], status["readyReplicas"]) == (2, 1, 1)
    assert status["unavailableReplicas"] == 1
    assert conditions(status) == {
        "Available": ("True", "MinimumReplicasAvailable"),
        "Progressing": ("True", "ReplicaSetUpdated"),
    }


def test_status_when_complete_and_again_changes_nothing():
    first = rollout.status(deployment(), "new", [pod("a")], NOW)
    assert conditions(first)["Progressing"] == ("True", "NewReplicaSetAvailable")
    later = rollout.status(deployment(status=first), "new", [pod("a")], NOW + timedelta(hours=1))
    assert later == first


def test_status_without_pods():
    status = rollout.status(deployment(2), "new", [], NOW)
    assert status["unavailableReplicas"] == 2
    assert conditions(status)["Available"] == ("False", "MinimumReplicasUnavailable")


def test_a_rollout_that_does_not_move_exceeds_its_deadline_and_says_so_until_it_moves():
    slow = deployment()
    slow["spec"]["progressDeadlineSeconds"] = 60
    pods = [pod("a", ready=False)]
    slow["status"] = rollout.status(slow, "new", pods, NOW)
    assert rollout.seconds_to_deadline(slow, slow["status"], NOW + timedelta(seconds=20)) == 40
    before = rollout.status(slow, "new", pods, NOW + timedelta(seconds=59))
    assert conditions(before)["Progressing"] == ("True", "ReplicaSetUpdated")
    slow["status"] = rollout.status(slow, "new", pods, NOW + timedelta(seconds=60))
    assert conditions(slow["status"])["Progressing"] == ("False", "ProgressDeadlineExceeded")
    assert rollout.seconds_to_deadline(slow, slow["status"], NOW) is None
    slow["status"] = rollout.status(slow, "new", pods, NOW + timedelta(seconds=90))
    assert conditions(slow["status"])["Progressing"] == ("False", "ProgressDeadlineExceeded")
    done = rollout.status(slow, "new", [pod("a")], NOW + timedelta(seconds=91))
    assert conditions(done)["Progressing"] == ("True", "NewReplicaSetAvailable")


def recreated(replicas=1):
    made = deployment(replicas)
    made["spec"]["strategy"] = {"type": "Recreate"}
    return made


@pytest.mark.parametrize(
    ("reason", "replicas", "pods", "ending", "step"),
    [
        ("nothing runs yet", 1, [], 0, Step(1)),
        ("all is as wanted", 1, [pod("a")], 0, Step()),
        ("the old one goes first, ready or not", 1, [pod("a", "old")], 0, Step(0, ("a",))),
        ("and nothing starts while it ends", 1, [], 1, Step()),
        ("not even beside a new one", 2, [pod("a")], 1, Step()),
        ("old and new: the old goes", 1, [pod("a", "old"), pod("b")], 0, Step(0, ("a",))),
        ("scaled to zero", 0, [pod("a")], 0, Step(0, ("a",))),
        ("and back, once it has ended", 1, [], 0, Step(1)),
        ("scaled down", 1, [pod("a"), pod("b", created=1.0)], 0, Step(0, ("b",))),
    ],
)
def test_recreate_starts_nothing_before_the_old_ones_have_ended(reason, replicas, pods, ending, step):
    assert rollout.step(recreated(replicas), "new", pods, ending) == step, reason


def test_a_deployment_that_recreates_is_available_only_with_all_its_pods():
    status = rollout.status(recreated(), "new", [pod("a", ready=False)], NOW)
    assert conditions(status)["Available"][0] == "False"
    assert conditions(rollout.status(recreated(), "new", [pod("a")], NOW))["Available"][0] == "True"
