"""What holds for the plan of every legal resource."""

import copy
import json
import re

import pytest
from hypothesis import HealthCheck, given, settings

from moorage_api import crd
from moorage_operator.plan import KINDS, plan
from unit.operator.plan.strategies import CASES
from unit.operator.plan.world import CATALOGUE, LATER, NOW, applied, ready_serving, seeing, with_status

DNS_LABEL = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
DNS_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
SECRET = "this-value-is-secret"
OURS = {"app.kubernetes.io/managed-by", "app.kubernetes.io/name", "moorage.dev/name"}

every = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def seen(case, **fields):
    found, subjects = case
    return plan(found, CATALOGUE, seeing(*(ready_serving(each) for each in subjects), **fields))


def templates(made):
    """Pod templates with the name of the child that holds each."""
    for each in made.children:
        if each["kind"] in ("Deployment", "Job"):
            yield each["metadata"]["name"], each["spec"]["template"]
        if each["kind"] == "CronJob":
            yield each["metadata"]["name"], each["spec"]["jobTemplate"]["spec"]["template"]


@every
@given(CASES)
def test_legal_resources_are_planned_the_same_each_time_without_a_trace(case):
    assert crd.validate(case[0]) == []
    before = copy.deepcopy(case)
    first, second = seen(case), seen(case)
    assert first == second
    assert first.children, first.status["conditions"]
    assert case == before


@every
@given(CASES)
def test_planning_again_from_its_own_output_changes_nothing(case):
    found, subjects = case
    first = seen(case)
    owned = applied(first)
    again = seen((with_status(found, first), subjects), owned=owned, now=LATER)
    assert applied(again, owned) == owned
    third = seen((with_status(found, again), subjects), owned=owned, now=LATER)
    assert third == again
    assert {**again.status, "conditions": None} == {**first.status, "conditions": None}
    assert [{**each, "lastTransitionTime": None} for each in again.status["conditions"]] == [
        {**each, "lastTransitionTime": None} for each in first.status["conditions"]
    ]
    assert [each["lastTransitionTime"] for each in again.status["conditions"]] == [
        each["lastTransitionTime"] for each in first.status["conditions"]
    ]


@every
@given(CASES)
def test_names_and_labels_are_legal(case):
    made = seen(case)
    names = [(each["kind"], each["metadata"]["name"]) for each in made.children]
    assert len(names) == len(set(names))
    for kind, name in names:
        assert DNS_LABEL.fullmatch(name)
        assert kind != "CronJob" or len(name) <= 52
    for _, template in templates(made):
        for value in template["metadata"]["labels"].values():
            assert LABEL_VALUE.fullmatch(value)
        spec = template["spec"]
        volumes = [volume["name"] for volume in spec["volumes"]]
        mounts = spec["containers"][0]["volumeMounts"]
        assert len(volumes) == len(set(volumes))
        assert all(DNS_LABEL.fullmatch(name) for name in volumes)
        assert {mount["name"] for mount in mounts} == set(volumes)
        paths = [mount["mountPath"] for mount in mounts]
        assert len(paths) == len(set(paths))


@every
@given(CASES)
def test_every_child_has_one_owner_and_our_labels_only(case):
    found = case[0]
    for each in seen(case).children:
        assert each["metadata"]["ownerReferences"] == [
            {
                "apiVersion": "moorage.dev/v1alpha1",
                "kind": found["kind"],
                "name": found["metadata"]["name"],
                "uid": found["metadata"]["uid"],
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ]
        assert each["metadata"]["namespace"] == "ml"
        assert set(each["metadata"]["labels"]) == OURS
        assert "annotations" not in each["metadata"]


@every
@given(CASES)
def test_every_pod_is_restricted(case):
    allowed = (found := case[0])["spec"].get("pod", {}).get("labels", {})
    for _, template in templates(seen(case)):
        spec = template["spec"]
        assert spec["automountServiceAccountToken"] is False
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec)
        for volume in spec["volumes"]:
            assert set(volume) - {"name"} <= {
                "configMap",
                "secret",
                "persistentVolumeClaim",
                "emptyDir",
                "csi",
            }
        for container in spec["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
                "readOnlyRootFilesystem": True,
                "runAsNonRoot": True,
            }
        assert set(template["metadata"]["labels"]) == OURS | {"moorage.dev/revision"} | set(allowed)
        assert not set(found["metadata"]["labels"]) & set(template["metadata"]["labels"])


@every
@given(CASES)
def test_no_value_of_a_secret_gets_anywhere(case):
    secrets = [
        {"kind": "Secret", "metadata": {"name": name, "namespace": "ml"}, "stringData": {"password": SECRET}}
        for name in ("kafka", "a.b")
    ]
    found, subjects = case
    made = plan(
        found,
        CATALOGUE,
        seeing(*secrets, *(ready_serving(each) for each in subjects), owned=secrets, foreign=secrets),
    )
    assert SECRET not in json.dumps([made.children, made.status])
    for _, template in templates(made):
        for variable in template["spec"]["containers"][0].get("env", []):
            assert "value" not in variable, "no test resource has a literal, so a plan has none either"


@every
@given(CASES)
def test_fields_of_a_newer_api_do_no_harm(case):
    found, subjects = case
    newer = copy.deepcopy(found)
    places = [newer, newer["metadata"], newer["spec"]]
    spec = newer["spec"]
    places += [
        spec[name]
        for name in (
            "http",
            "capture",
            "storage",
            "pod",
            "dataset",
            "load",
            "stream",
            "window",
            "sinks",
            "conceptDrift",
            "input",
            "output",
            "model",
        )
        if name in spec
    ]
    places += [each for model in spec.get("models", []) for each in (model, model["framework"])]
    places += spec.get("pod", {}).get("env", [])
    for place in places:
        place["fieldOfTheFuture"] = {"deep": [1, {"on": True}]}
    assert seen((newer, subjects)) == seen(case)


@every
@given(CASES)
def test_every_status_fits_the_contract(case):
    found, _ = case
    for made in (seen(case), seen((found, [])), seen((found, []), owned=applied(seen(case)))):
        written = {**found, "status": made.status}
        assert crd.validate(written) == []
        assert [path for path in crd.unknown_fields(written) if path.startswith("status")] == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("spec", [None, {}, [], "text", 3, {"models": 7, "servingRef": "x"}])
def test_nonsense_is_an_invalid_spec_and_never_an_exception(kind, spec):
    found = {
        "apiVersion": "moorage.dev/v1alpha1",
        "kind": kind,
        "metadata": {"name": "x", "namespace": "ml", "uid": "u", "generation": 1},
        "spec": spec,
    }
    assert KINDS[kind].references(found) == ()
    made = plan(found, CATALOGUE, seeing(now=NOW))
    assert made.children is None
    reasons = {each["reason"] for each in made.status["conditions"] if each["type"] == "Stalled"}
    assert reasons == {"InvalidSpec"}
