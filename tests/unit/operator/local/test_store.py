"""The folder store behaves to its users as the API server's storage does."""

import json
import subprocess
import sys
import threading

import pytest

from moorage_operator.local.apiserver.store import Conflict, Store, StoreError


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def serving(name="iris", namespace=None, **spec):
    meta = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": "moorage.dev/v1alpha1", "kind": "ModelServing", "metadata": meta, "spec": spec}


def child(owner, kind="Deployment", name="iris", controller=True, **extra):
    reference = {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": controller,
    }
    meta = {"name": name, "namespace": owner["metadata"]["namespace"], "ownerReferences": [reference]}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": meta, **extra}


def iris(store):
    return store.get("ModelServing", "default", "iris")


def test_apply_gives_identity_and_says_what_it_did(store):
    assert store.apply(serving(replicas=1)) == "created"
    first = iris(store)
    assert first["metadata"]["namespace"] == "default"
    assert first["metadata"]["generation"] == 1
    assert first["metadata"]["creationTimestamp"].endswith("Z")
    assert store.apply(serving(replicas=1)) == "unchanged"
    assert iris(store) == first
    assert store.apply(serving(replicas=2)) == "configured"
    second = iris(store)
    assert second["metadata"]["uid"] == first["metadata"]["uid"]
    assert second["metadata"]["generation"] == 2
    assert int(second["metadata"]["resourceVersion"]) > int(first["metadata"]["resourceVersion"])


def test_a_label_is_a_change_but_no_new_generation(store):
    store.apply(serving())
    labelled = serving()
    labelled["metadata"]["labels"] = {"team": "a"}
    assert store.apply(labelled) == "configured"
    assert iris(store)["metadata"]["generation"] == 1
    assert store.apply(serving()) == "configured"
    assert "labels" not in iris(store)["metadata"]


def test_status_is_apart_from_the_spec(store):
    store.apply(serving(replicas=1))
    assert store.put_status("ModelServing", "default", "iris", {"url": "http://127.0.0.1:1"})
    assert not store.put_status("ModelServing", "default", "iris", {"url": "http://127.0.0.1:1"})
    assert not store.put_status("ModelServing", "default", "absent", {})
    assert iris(store)["metadata"]["generation"] == 1
    store.apply({**serving(replicas=2), "status": {"url": "http://forged"}})
    assert iris(store)["status"] == {"url": "http://127.0.0.1:1"}
    assert iris(store)["metadata"]["generation"] == 2


def test_a_manifest_cannot_forge_what_belongs_to_the_server(store):
    forged = serving()
    forged["metadata"] |= {"uid": "mine", "generation": 99, "resourceVersion": "77"}
    store.apply(forged)
    assert iris(store)["metadata"]["uid"] != "mine"
    assert iris(store)["metadata"]["generation"] == 1


def test_local_notes_survive_the_next_apply_and_other_annotations_do_not(store):
    store.apply(serving())
    store.annotate("ModelServing", "default", "iris", {"moorage.dev/local-address": "127.0.0.1:1", "x": "y"})
    assert store.apply(serving()) == "configured"
    assert iris(store)["metadata"]["annotations"] == {"moorage.dev/local-address": "127.0.0.1:1"}
    assert store.apply(serving()) == "unchanged"
    assert store.annotate("ModelServing", "default", "iris", {"moorage.dev/local-address": None})
    assert not store.annotate("ModelServing", "default", "iris", {"moorage.dev/local-address": None})
    assert not store.annotate("ModelServing", "default", "absent", {"a": "b"})


def test_lists_are_by_namespace_and_cluster_kinds_have_none(store):
    store.apply(serving("b"))
    store.apply(serving("a", "team"))
    store.apply({"kind": "ClusterModelRuntime", "metadata": {"name": "sklearn"}, "spec": {}})
    assert [o["metadata"]["name"] for o in store.list("ModelServing")] == ["b", "a"]
    assert [o["metadata"]["name"] for o in store.list("ModelServing", "team")] == ["a"]
    assert store.list("ModelServing", "nobody") == []
    assert [o["metadata"]["name"] for o in store.list("ClusterModelRuntime", "any")] == ["sklearn"]
    assert "namespace" not in store.get("ClusterModelRuntime", "any", "sklearn")["metadata"]


@pytest.mark.parametrize("name", ["../x", "..", "a/b", "", ".hidden", "n\0ul", "x" * 300])
def test_a_name_never_leaves_the_folder(store, name):
    assert store.get("ModelServing", "default", name) is None
    assert not store.delete("ModelServing", "default", name)
    with pytest.raises(ValueError, match="cannot be the name"):
        store.apply(serving(name))


def test_delete_takes_what_only_this_object_owned(store):
    store.apply(serving("iris"))
    store.apply(serving("wine"))
    owner, other = iris(store), store.get("ModelServing", "default", "wine")
    store.put_owned(child(owner, spec={}))
    deployment = store.get("Deployment", "default", "iris")
    store.put_owned(child(deployment, "Job", "grandchild"))
    store.put_owned(child(other, name="wine"))
    shared = child(owner, "ConfigMap", "shared")
    shared["metadata"]["ownerReferences"] += child(other, controller=False)["metadata"]["ownerReferences"]
    store.put_owned(shared)
    names = {o["metadata"]["name"] for o in store.owned_by(owner["metadata"]["uid"], "default")}
    assert names == {"iris", "shared"}
    assert store.delete("ModelServing", "default", "iris")
    assert not store.delete("ModelServing", "default", "iris")
    assert store.list("Job") == []
    assert [o["metadata"]["name"] for o in store.list("Deployment")] == ["wine"]
    assert len(store.list("ConfigMap")) == 1
    store.delete("ModelServing", "default", "wine")
    assert store.list("ConfigMap") == store.list("Deployment") == []


def test_a_child_never_takes_over_another_owners_object(store):
    store.apply(serving("iris"))
    store.apply(serving("wine"))
    store.put_owned(child(iris(store), spec={"replicas": 1}))
    with pytest.raises(Conflict, match='Deployment "iris" exists and is controlled by'):
        store.put_owned(child(store.get("ModelServing", "default", "wine"), spec={"replicas": 2}))
    store.apply({"kind": "Service", "metadata": {"name": "mine"}, "spec": {}})
    with pytest.raises(Conflict, match="controlled by nobody"):
        store.put_owned(child(iris(store), "Service", "mine", spec={}))
    assert store.get("Deployment", "default", "iris")["spec"] == {"replicas": 1}


def test_no_child_is_made_for_an_owner_that_is_gone_or_was_made_anew(store):
    store.apply(serving())
    old = iris(store)
    store.delete("ModelServing", "default", "iris")
    store.apply(serving())
    with pytest.raises(Conflict, match="its owner is gone"):
        store.put_owned(child(old))


def test_events_are_counted_and_belong_to_one_incarnation(store):
    store.apply(serving())
    for _ in range(3):
        store.record_event(iris(store), "Warning", "BackOff", "restarting")
    store.record_event(iris(store), "Normal", "Created", "made Deployment iris")
    found = {event["reason"]: event["count"] for event in store.events(iris(store))}
    assert found == {"BackOff": 3, "Created": 1}
    store.delete("ModelServing", "default", "iris")
    store.apply(serving())
    assert store.events(iris(store)) == []


def test_old_events_go_when_a_new_one_comes(store):
    store.apply(serving())
    store.record_event(iris(store), "Normal", "Old", "")
    (path,) = store.root.glob("Event/*/*.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"lastTimestamp": "2020-01-01T00:00:00Z"}))
    store.record_event(iris(store), "Normal", "New", "")
    assert [event["reason"] for event in store.events(iris(store))] == ["New"]


def test_a_damaged_file_is_named(store):
    store.apply(serving())
    (path,) = store.root.glob("ModelServing/*/*.json")
    path.write_text("{")
    with pytest.raises(StoreError, match=r"iris\.json is damaged"):
        iris(store)


WRITER = """
import sys
from pathlib import Path
from moorage_operator.local.apiserver.store import Store

store, number = Store(Path(sys.argv[1])), sys.argv[2]
for turn in range(20):
    store.apply({"kind": "ModelServing", "metadata": {"name": f"own-{number}"}, "spec": {"turn": turn}})
    store.annotate("ModelServing", "default", "shared", {f"{number}-{turn}": "x"})
"""


def test_writers_of_several_processes_lose_nothing_and_readers_never_see_half_a_file(store):
    store.apply(serving("shared", text="x" * 20_000))
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, store.root, str(n)]) for n in range(4)]
    reads = 0
    while any(process.poll() is None for process in writers):
        assert store.get("ModelServing", "default", "shared")["spec"]["text"] == "x" * 20_000
        store.list("ModelServing")
        reads += 1
    assert [process.returncode for process in writers] == [0] * 4
    assert reads > 0
    shared = store.get("ModelServing", "default", "shared")
    assert set(shared["metadata"]["annotations"]) == {f"{n}-{t}" for n in range(4) for t in range(20)}
    own = [store.get("ModelServing", "default", f"own-{n}") for n in range(4)]
    assert [o["metadata"]["generation"] for o in own] == [20] * 4
    versions = [int(o["metadata"]["resourceVersion"]) for o in [*own, shared]]
    assert len(set(versions)) == 5
    assert max(versions) == 1 + 4 * 40


def test_changes_begin_with_all_and_then_name_each_change(store):
    store.apply(serving("iris"))
    stop = threading.Event()
    changes = store.changes(stop, idle_seconds=0.1)
    assert next(changes) == {("ModelServing", "default", "iris")}
    store.apply(serving("wine", "team"))
    assert next(filter(None, changes)) == {("ModelServing", "team", "wine")}
    store.put_status("ModelServing", "default", "iris", {"url": "x"})
    assert next(filter(None, changes)) == {("ModelServing", "default", "iris")}
    store.delete("ModelServing", "team", "wine")
    assert next(filter(None, changes)) == {("ModelServing", "team", "wine")}
    assert next(changes) == set()
    stop.set()
    assert not any(changes)
