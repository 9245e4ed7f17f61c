"""`moorage apply`, `delete` and `wait` answer with kubectl's words and exit codes."""

import threading

import pytest

SERVING = """
apiVersion: moorage.dev/v1alpha1
kind: ModelServing
metadata: {name: iris}
spec:
  replicas: 1
  models: [{name: m, uri: "s3://a/b", framework: {name: sklearn, version: "1"}}]
"""
SECRET = "{apiVersion: v1, kind: Secret, metadata: {name: s, namespace: team}, stringData: {a: b}}"


@pytest.fixture
def manifest(tmp_path):
    path = tmp_path / "iris.yaml"
    path.write_text(f"{SERVING}---\n{SECRET}\n")
    return path


def test_apply_says_what_it_did(moorage, manifest):
    first = moorage("apply", "-f", str(manifest))
    assert first.stdout.splitlines() == ["modelserving.moorage.dev/iris created", "secret/s created"]
    assert "no `moorage up` runs" in first.stderr
    manifest.write_text(manifest.read_text().replace("replicas: 1", "replicas: 2"))
    again = moorage("apply", "-f", str(manifest.parent)).stdout.splitlines()
    assert again == ["modelserving.moorage.dev/iris configured", "secret/s unchanged"]
    assert moorage.store.get("Secret", "team", "s")["data"] == {"a": "Yg=="}


def test_what_is_wrong_is_refused_and_the_rest_applied(moorage):
    wrong = SERVING.replace("iris}", "bad}").replace("replicas", "replicsa")
    done = moorage("apply", "-f", "-", stdin=f"{wrong}---\n{SERVING}", code=1)
    assert done.stdout == "modelserving.moorage.dev/iris created\n"
    assert done.stderr.startswith('error validating "STDIN": unknown field "spec.replicsa"\n')


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["-f", "absent.yaml"], 1, 'error: the path "absent.yaml" does not exist'),
        ([], 2, "must specify -f"),
        (["-f", "-"], 1, "error: no objects in -"),
    ],
)
def test_what_apply_cannot_read(moorage, words, code, said):
    assert said in moorage("apply", *words, code=code).stderr


def test_apply_puts_objects_without_a_namespace_where_it_is_told(moorage):
    moorage("apply", "-n", "team", "-f", "-", stdin=SERVING)
    assert moorage.store.get("ModelServing", "team", "iris")


def test_delete_takes_children_too(moorage):
    iris = moorage.serving()
    moorage.child(iris, "Deployment", "iris", "apps/v1", spec={})
    assert moorage("delete", "mserve", "iris").stdout == 'modelserving.moorage.dev "iris" deleted\n'
    assert moorage.store.list("Deployment") == []
    gone = moorage("delete", "mserve/iris", code=1)
    assert gone.stderr == 'Error from server (NotFound): modelservings.moorage.dev "iris" not found\n'
    moorage("delete", "mserve/iris", "--ignore-not-found")


def test_delete_by_file_label_and_all(moorage, manifest):
    moorage("apply", "-f", str(manifest))
    deleted = moorage("delete", "-f", str(manifest)).stdout.splitlines()
    assert deleted == ['modelserving.moorage.dev "iris" deleted', 'secret "s" deleted']
    for name, team in (("a", "x"), ("b", "x"), ("c", "y")):
        moorage.serving(name, labels={"team": team})
    assert moorage("delete", "mserve", "-l", "team=x").stdout.count("deleted") == 2
    assert moorage("delete", "mserve", code=1).stderr.startswith(
        "error: resource(s) were provided, but no name"
    )
    assert moorage("delete", "mserve", "--all").stdout == 'modelserving.moorage.dev "c" deleted\n'
    assert moorage("delete", "mserve", "--all").stderr == "No resources found\n"
    moorage("delete", code=2)
    moorage("delete", "mserve", "x", "-f", "y", code=2)


def test_a_condition_that_is_met(moorage, ready):
    moorage.serving(status={"conditions": [ready()], "url": "u"})
    for awaited in (
        "condition=Ready",
        "condition=ready=true",
        "jsonpath={.status.url}=u",
        "jsonpath='{.status.url}'",
        "create",
    ):
        done = moorage("wait", f"--for={awaited}", "mserve/iris", "--timeout=0")
        assert done.stdout == "modelserving.moorage.dev/iris condition met\n"


@pytest.mark.parametrize(
    "awaited", ["condition=Ready=False", "condition=Passed", "jsonpath={.status.url}=v", "delete"]
)
def test_a_condition_that_is_not_met_in_time(moorage, ready, awaited):
    moorage.serving(status={"conditions": [ready()], "url": "u"})
    done = moorage("wait", f"--for={awaited}", "mserve/iris", "--timeout=10ms", code=1)
    assert done.stderr.splitlines() == [
        f"(no `moorage up` runs for {moorage.state}: this is how it was left)",
        "error: timed out waiting for the condition on modelservings/iris",
    ]


def test_a_status_older_than_the_last_edit_does_not_count(moorage, ready):
    moorage.serving(status={"conditions": [ready()]})
    moorage.serving(replicas=3)
    moorage("wait", "--for=condition=Ready", "mserve/iris", "--timeout=0", code=1)
    moorage.store.put_status("ModelServing", "default", "iris", {"conditions": [ready(generation=2)]})
    moorage("wait", "--for=condition=Ready", "mserve/iris", "--timeout=0")


def test_waiting_ends_when_it_comes_about(moorage, ready):
    iris = moorage.serving()
    moorage.serving("wine", status={"conditions": [ready()]})
    words = ["wait", "--for=condition=Ready", "mserve", "--all", "--timeout=60s"]
    with moorage.process(*words, text=True) as waiting:
        assert waiting.stdout.readline() == "modelserving.moorage.dev/wine condition met\n"
        moorage.store.put_status(
            "ModelServing", "default", iris["metadata"]["name"], {"conditions": [ready()]}
        )
        assert waiting.stdout.readline() == "modelserving.moorage.dev/iris condition met\n"
        assert waiting.wait(20) == 0


def test_waiting_for_the_end_of_an_object_that_is_made_anew(moorage):
    moorage.serving()

    def replace():
        moorage.store.delete("ModelServing", "default", "iris")
        moorage.serving()

    timer = threading.Timer(0.1, replace)
    timer.start()
    done = moorage("wait", "--for=delete", "mserve/iris", "--timeout=20s")
    timer.join()
    assert done.stdout == "modelserving.moorage.dev/iris condition met\n"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (
            ["--for=condition=Ready", "mserve/x"],
            1,
            'Error from server (NotFound): modelservings.moorage.dev "x" not found',
        ),
        (["--for=delete", "mserve/x"], 0, ""),
        (["--for=condition=Ready", "mserve", "--all"], 1, "error: no matching resources found"),
        (["--for=condition=Ready", "mserve"], 1, "no name was specified"),
        (["--for=create", "mserve/x", "--timeout=0"], 1, "timed out"),
        (["--for=ready", "mserve/x"], 2, 'unrecognized condition: "ready"'),
        (["--for=jsonpath={.a[}=b", "mserve/x"], 2, "unrecognized JSONPath"),
        (["--for=jsonpath={.a}b", "mserve/x"], 2, "not of the form"),
        (["--for=condition=Ready", "mserve/x", "--timeout=60"], 2, "invalid duration"),
        (["mserve/x"], 2, "Missing option '--for'"),
    ],
)
def test_what_cannot_be_awaited(moorage, words, code, said):
    assert said in moorage("wait", *words, code=code).stderr
