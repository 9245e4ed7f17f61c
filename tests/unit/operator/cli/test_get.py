"""`moorage get` prints what kubectl would."""

import pytest

from moorage_operator.local.lock import held

STATUS = {"url": "http://127.0.0.1:8080", "readyReplicas": 1, "models": [{"name": "m"}], "runtime": "sklearn"}


@pytest.fixture
def iris(moorage, ready):
    return moorage.serving(status={**STATUS, "conditions": [ready()]}, labels={"team": "a"})


def test_a_table_with_the_answer_first(moorage, iris):
    assert moorage("get", "mserve").stdout.splitlines() == [
        "NAME   READY   URL                     REPLICAS   REASON       AGE",
        "iris   True    http://127.0.0.1:8080   1          Reconciled   0s",
    ]


@pytest.mark.parametrize(
    "words",
    [
        ["mserve"], ["modelserving"], ["modelservings"], ["modelservings.moorage.dev"], ["ModelServing"],
        ["mserve", "iris"], ["mserve/iris"], ["moorage"], ["all"], ["mserve,mtest"], ["mserve", "-A"],
        ["mserve", "-l", "team=a"], ["mserve", "-l", "team in (a,b),!x,team,x!=y"],
    ],
)  # fmt: skip
def test_every_way_of_naming_it_finds_it(moorage, iris, words):
    assert [o for o in moorage.json("get", *words).get("items", [iris]) if o["kind"] == "ModelServing"] == [
        iris
    ]


def test_wide_shows_the_detail(moorage, iris):
    headings, cells = moorage.lines("get", "mserve", "-o", "wide")
    assert {"RUNTIME", "AVAILABLE", "MESSAGE"} <= set(headings)
    assert "sklearn" in cells


def test_all_namespaces_has_a_column_for_them(moorage, iris):
    moorage.serving("other", "team")
    assert moorage.lines("get", "mserve", "-A", "--no-headers")[1][:2] == ["team", "other"]
    assert moorage.lines("get", "mserve", "-n", "team", "--no-headers")[0][0] == "other"


def test_several_types_have_a_table_each_and_longer_names(moorage, iris):
    moorage.child(iris, "Deployment", "iris", "apps/v1", spec={"replicas": 1}, status={"readyReplicas": 1})
    text = moorage("get", "mserve,deploy").stdout
    assert "modelserving.moorage.dev/iris   True" in text
    assert "\n\nNAME " in text
    assert "deployment.apps/iris   1/1" in text
    assert moorage("get", "all", "-o", "name").stdout.split() == [
        "modelserving.moorage.dev/iris",
        "deployment.apps/iris",
    ]


def test_what_is_not_there(moorage, iris):
    done = moorage("get", "mserve", "iris", "x", "y", code=1)
    assert done.stdout.count("iris") == 1
    assert done.stderr.splitlines()[-2:] == [
        'Error from server (NotFound): modelservings.moorage.dev "x" not found',
        'Error from server (NotFound): modelservings.moorage.dev "y" not found',
    ]
    assert moorage("get", "mserve/x", "--ignore-not-found", "-o", "json").output == ""
    assert moorage("get", "mtest").stderr == "No resources found in default namespace\n"
    assert moorage("get", "mserve", "-l", "team=b").stdout == ""
    assert 'doesn\'t have a resource type "foo"' in moorage("get", "foo", code=1).stderr


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["mserve", "-A", "iris"],
        ["mserve", "-l", "a=b=c"],
        ["mserve", "-l", "a in (b"],
        ["mserve", "--nope"],
    ],
)
def test_wrong_use_is_exit_code_2(moorage, iris, words):
    assert "Usage: " in moorage("get", *words, code=2).stderr


def test_mixed_forms_are_explained(moorage, iris):
    assert "resource/name form" in moorage("get", "mserve/iris", "other", code=1).stderr


def test_json_and_yaml_are_the_object(moorage, iris):
    assert moorage.json("get", "mserve/iris") == iris
    assert moorage.json("get", "mserve")["items"] == [iris]
    assert moorage.json("get", "mserve")["kind"] == "List"
    assert moorage("get", "mserve/iris", "-o", "yaml").stdout.startswith("apiVersion: moorage.dev/v1alpha1\n")
    assert moorage("get", "mserve/iris", "-o", "jsonpath={.status.url}").stdout == "http://127.0.0.1:8080"
    assert "unrecognized JSONPath" in moorage("get", "mserve/iris", "-o", "jsonpath={.a[}", code=1).stderr
    assert "unable to match a printer" in moorage("get", "mserve", "-o", "xml", code=1).stderr


def test_what_get_prints_can_be_applied_again(moorage, iris):
    text = moorage("get", "mserve/iris", "-o", "yaml").stdout
    done = moorage("apply", "-f", "-", stdin=text)
    assert done.stdout.splitlines() in (
        ["modelserving.moorage.dev/iris unchanged"],
        ["modelserving.moorage.dev/iris configured"],
    )
    assert moorage("apply", "-f", "-", stdin=text).stdout == "modelserving.moorage.dev/iris unchanged\n"


def test_children_have_kubernetes_own_columns(moorage, iris):
    deployment = moorage.child(iris, "Deployment", "iris", "apps/v1", spec={"replicas": 2})
    container = {"name": "runtime", "ready": True, "restartCount": 3, "state": {"running": {}}}
    pod = {"phase": "Running", "containerStatuses": [container]}
    moorage.child(deployment, "Pod", "iris-x", spec={"containers": [{}]}, status=pod)
    waiting = {**container, "ready": False, "state": {"waiting": {"reason": "CrashLoop"}}}
    moorage.child(
        deployment, "Pod", "iris-y", spec={"containers": [{}]}, status={"containerStatuses": [waiting]}
    )
    moorage.child(iris, "Service", "iris", spec={"ports": [{"port": 80}]})
    moorage.store.annotate("Service", "default", "iris", {"moorage.dev/local-address": "127.0.0.1:8080"})
    times = {"startTime": "2026-11-22T16:00:00Z", "completionTime": "2026-11-22T16:00:09Z", "succeeded": 1}
    done = {**times, "conditions": [{"type": "Complete", "status": "True"}]}
    moorage.child(iris, "Job", "t", "batch/v1", spec={"completions": 1}, status=done)
    moorage.child(iris, "CronJob", "c", "batch/v1", spec={"schedule": "0 * * * *"})
    moorage.child(iris, "ConfigMap", "cm", data={"a": "1", "b": "2"})
    moorage.child(iris, "NetworkPolicy", "n", "networking.k8s.io/v1", spec={})
    kinds = ("deploy", "pods", "svc", "jobs", "cronjobs", "cm", "netpol")
    rows = {kind: moorage.lines("get", kind, "--no-headers") for kind in kinds}
    assert rows["deploy"][0][:4] == ["iris", "0/2", "0", "0"]
    assert [row[:4] for row in rows["pods"]] == [
        ["iris-x", "1/1", "Running", "3"],
        ["iris-y", "0/1", "CrashLoop", "3"],
    ]
    assert rows["svc"][0][:3] == ["iris", "127.0.0.1:8080", "80/TCP"]
    assert rows["jobs"][0][:4] == ["t", "Complete", "1/1", "9s"]
    assert rows["cronjobs"][0][:9] == ["c", "0", "*", "*", "*", "*", "<none>", "False", "0"]
    assert rows["cm"][0][:2] == ["cm", "2"]
    assert [row[0] for row in rows["netpol"]] == ["n"]


def test_events_of_objects_are_listed_as_they_happened(moorage, iris):
    moorage.store.record_event(iris, "Warning", "BackOff", "restarting")
    moorage.store.record_event(iris, "Normal", "Another", "thing")
    rows = [row[1:] for row in moorage.lines("get", "events", "--no-headers")]
    assert rows == [
        ["Warning", "BackOff", "modelserving/iris", "restarting"],
        ["Normal", "Another", "modelserving/iris", "thing"],
    ]


def test_the_catalogue_is_there_without_being_applied(moorage):
    assert "sklearn" in [row[0] for row in moorage.lines("runtimes")]
    assert moorage.json("get", "cmruntime", "sklearn")["kind"] == "ClusterModelRuntime"
    manifest = "{apiVersion: moorage.dev/v1alpha1, kind: ClusterModelRuntime, metadata: {name: sklearn}, spec: {image: mine:1}}"
    moorage("apply", "-f", "-", stdin=manifest)
    rows = [row for row in moorage.lines("runtimes") if row[0] == "sklearn"]
    assert len(rows) == 1
    assert "mine:1" in rows[0]


def test_namespaces_are_those_in_use(moorage):
    moorage.serving(namespace="team")
    assert [row[:2] for row in moorage.lines("get", "ns", "--no-headers")] == [
        ["default", "Active"],
        ["team", "Active"],
    ]


def test_a_state_folder_that_is_not_there_is_named(moorage, tmp_path):
    moorage.state = tmp_path / "elsewhere"
    assert "there is no Moorage at" in moorage("get", "mserve", code=1).stderr
    assert not moorage.state.exists()


def test_the_catalogue_is_listed_before_anything_was_started(moorage, tmp_path):
    moorage.state = tmp_path / "elsewhere"
    assert {"sklearn", "onnx", "python"} <= {row[0] for row in moorage.lines("runtimes")}
    assert not moorage.state.exists()


def test_a_watch_prints_what_is_there_and_each_change(moorage, iris):
    with moorage.process("get", "mserve", "-w", text=True) as watching:
        lines = iter(watching.stdout.readline, "")
        assert next(lines).split()[0] == "NAME"
        assert next(lines).split()[:2] == ["iris", "True"]
        moorage.store.put_status("ModelServing", "default", "iris", {**STATUS, "readyReplicas": 7})
        assert "7" in next(lines).split()
        moorage.store.delete("ModelServing", "default", "iris")
        assert next(lines).split()[0] == "iris"
        watching.terminate()


def test_a_status_that_nobody_keeps_is_said_to_be_old(moorage, iris):
    note = f"(no `moorage up` runs for {moorage.state}: this is how it was left)\n"
    assert moorage("get", "mserve").stderr == note
    assert moorage("describe", "mserve", "iris").stderr == note
    with held(moorage.state):
        assert moorage("get", "mserve").stderr == ""


def test_get_alone_lists_what_there_is_to_get(moorage, iris):
    assert "modelservings (mserve)" in moorage("get", code=2).stderr
