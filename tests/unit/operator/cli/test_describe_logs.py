"""`moorage describe` and `moorage logs`."""

import pytest


@pytest.fixture
def iris(moorage, ready):
    message = "m: the file is truncated"
    broken = {**ready("False", "ModelLoadFailed"), "message": message}
    model = {
        "name": "m",
        "state": "Failed",
        "digest": "d" * 64,
        "reason": "ModelLoadFailed",
        "message": message,
    }
    return moorage.serving(status={"url": "http://127.0.0.1:1", "conditions": [broken], "models": [model]})


@pytest.fixture
def pods(moorage, iris):
    deployment = moorage.child(iris, "Deployment", "iris", "apps/v1", spec={})
    made = [
        moorage.child(deployment, "Pod", name, spec={"containers": [{}]}) for name in ("iris-a", "iris-b")
    ]
    (moorage.state / "logs" / "default").mkdir(parents=True)
    for pod in made:
        log(moorage, pod["metadata"]["name"]).write_text("one\ntwo\nthree\n")
    return made


def log(moorage, pod):
    return moorage.state / "logs" / "default" / f"{pod}.log"


def test_describe_shows_answer_models_pods_spec_and_events(moorage, iris, pods):
    moorage.store.record_event(iris, "Warning", "ModelLoadFailed", "m: truncated")
    moorage.store.record_event(iris, "Warning", "ModelLoadFailed", "m: truncated")
    text = moorage("describe", "mserve", "iris").stdout
    rows = [line.split() for line in text.splitlines()]
    assert ["Name:", "iris"] in rows
    assert ["Ready:", "False"] in rows
    assert ["URL:", "http://127.0.0.1:1"] in rows
    assert ["Ready", "False", "ModelLoadFailed", "m:", "the", "file", "is", "truncated"] in rows
    assert ["m", "Failed", "d" * 12, "ModelLoadFailed", "m:", "the", "file", "is", "truncated"] in rows
    assert [row[0] for row in rows if row and row[0].startswith("iris-")] == ["iris-a", "iris-b"]
    assert "    uri: s3://a/b" in text
    assert ["Warning", "ModelLoadFailed", "0s", "(x2", "over", "0s)", "m:", "truncated"] in rows


def test_describe_hides_the_values_of_secrets(moorage):
    moorage(
        "apply",
        "-f",
        "-",
        stdin="{apiVersion: v1, kind: Secret, metadata: {name: s}, stringData: {key: hunter2}}",
    )
    text = moorage("describe", "secret", "s").stdout
    assert "key: (hidden)" in text
    assert "aHVudGVyMg==" not in text


def test_describe_what_is_not_there(moorage, iris):
    assert "not found" in moorage("describe", "mserve/x", code=1).stderr
    assert "No resources found" in moorage("describe", "mtest").stderr


def test_logs_of_several_pods_say_whose_line_it_is(moorage, pods):
    assert moorage("logs", "iris", "--tail", "1").stdout.splitlines() == ["[iris-a] three", "[iris-b] three"]
    assert (
        moorage("logs", "mserve/iris", "--tail", "1").stdout == moorage("logs", "iris", "--tail", "1").stdout
    )


@pytest.mark.parametrize(
    ("tail", "lines"),
    [("-1", ["one", "two", "three"]), ("2", ["two", "three"]), ("0", []), ("9", ["one", "two", "three"])],
)
def test_logs_of_one_pod(moorage, pods, tail, lines):
    assert moorage("logs", "iris-a", "--tail", tail).stdout.splitlines() == lines


def test_a_last_line_without_an_end_is_shown_and_a_long_log_is_read_from_its_end(moorage, pods):
    log(moorage, "iris-a").write_text("x" * 70_000 + "\n" + "y" * 70_000 + "\nlast")
    assert moorage("logs", "iris-a", "--tail", "1").stdout == "last\n"
    assert [len(line) for line in moorage("logs", "iris-a").stdout.splitlines()] == [70_000, 70_000, 4]


def test_what_has_no_logs(moorage, iris):
    assert "has no pods now" in moorage("logs", "iris", code=1).stderr
    kinds = "pod or modelserving or modeltest or driftmonitor or batchprediction"
    assert f'{kinds} "x" not found' in moorage("logs", "x", code=1).stderr
    moorage("logs", code=2)
    moorage("logs", "mserve", code=1)


def test_following_shows_what_comes_and_ends_with_the_pod(moorage, pods):
    with moorage.process("logs", "iris-a", "-f", "--tail", "1", text=True) as following:
        assert following.stdout.readline() == "three\n"
        with log(moorage, "iris-a").open("a") as file:
            file.write("four\n")
        assert following.stdout.readline() == "four\n"
        moorage.store.put_status("Pod", "default", "iris-a", {"phase": "Succeeded"})
        assert following.wait(20) == 0
