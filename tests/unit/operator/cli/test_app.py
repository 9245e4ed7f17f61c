"""The commands as a whole: help, errors, and the small ones."""

import json
import os
import subprocess
import sys

import pytest
from click.testing import CliRunner

from moorage_api import catalogue
from moorage_operator.cli.app import COMMANDS, cli
from moorage_operator.cli.failure import Failure
from moorage_operator.local import options
from moorage_operator.local.apiserver.yaml import values_of
from moorage_operator.local.lock import held

SERVING = """
apiVersion: moorage.dev/v1alpha1
kind: ModelServing
metadata: {name: iris}
spec:
  models: [{name: m, uri: "s3://a/b", framework: {name: FRAMEWORK}}]
"""


def run(*words):
    return CliRunner().invoke(cli, words)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name):
    done = run(name, "--help")
    assert done.exit_code == 0
    assert done.output.startswith(f"Usage: cli {name} ")
    first = COMMANDS[name].partition(":")[0].partition(".")[0]
    assert first in " ".join(run("--help").output.split())
    assert first.split()[0] in done.output


def test_an_unknown_command_is_wrong_use():
    done = run("frobnicate")
    assert (done.exit_code, "No such command 'frobnicate'" in done.stderr) == (2, True)


def test_an_unexpected_error_is_one_line(moorage, monkeypatch):
    (moorage.store.root / "ModelServing").mkdir()
    monkeypatch.setattr("moorage_operator.local.apiserver.store.Store.list", lambda *_: 1 / 0)
    done = moorage("get", "mserve", code=1)
    assert (
        done.stderr
        == "error: unexpected ZeroDivisionError: division by zero (set MOORAGE_DEBUG=1 to see where)\n"
    )
    monkeypatch.setenv("MOORAGE_DEBUG", "1")
    assert isinstance(run("get", "mserve", "--state", str(moorage.state)).exception, ZeroDivisionError)


def test_a_damaged_file_of_the_store_is_named(moorage):
    moorage.serving()
    (path,) = moorage.store.root.glob("ModelServing/*/*.json")
    path.write_text("{")
    assert f"error: {path} is damaged" in moorage("get", "mserve", code=1).stderr


def test_a_reader_that_goes_away_is_no_noise(moorage):
    for number in range(300):
        moorage.serving(f"s{number}", spec={"x": "y" * 500})
    with moorage.process("get", "mserve", "-o", "json", stderr=subprocess.PIPE) as getting:
        getting.stdout.readline()
        getting.stdout.close()
        assert getting.stderr.read() == b""


def test_a_watch_ends_with_its_reader(moorage):
    moorage.serving()
    with moorage.process("get", "mserve", "-w", stderr=subprocess.PIPE) as watching:
        watching.stdout.readline()
        watching.stdout.close()
        assert watching.wait(20) != 0
        assert watching.stderr.read() == b""


def test_ctrl_c_is_quiet(moorage, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("moorage_operator.local.apiserver.store.Store.list", interrupted)
    assert moorage("get", "mserve", code=130).output == ""


def test_version():
    assert run("version").output.startswith("moorage 0.")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script(shell):
    assert "_MOORAGE_COMPLETE" in run("completion", shell).output


def complete(moorage, line, at):
    env = {**os.environ, "_MOORAGE_COMPLETE": "bash_complete", "COMP_WORDS": line, "COMP_CWORD": str(at)}
    command = [sys.executable, "-c", "from moorage_operator.cli import main; main()"]
    env["MOORAGE_STATE"] = str(moorage.state)
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    return [entry.partition(",")[2] for entry in done.stdout.splitlines()]


def test_types_and_names_are_completed(moorage):
    moorage.serving()
    assert complete(moorage, "moorage get mod", 2) == ["modelruntimes", "modelservings", "modeltests"]
    assert complete(moorage, "moorage get mserve i", 3) == ["iris"]
    assert complete(moorage, "moorage predict i", 2) == ["iris"]
    assert complete(moorage, "moorage get d", 2) == ["deployments", "driftmonitors"]
    assert complete(moorage, "moorage topic ", 2) == ["consume", "produce"]


def test_names_of_everything_that_has_logs_are_completed(moorage):
    moorage.serving()
    for kind in ("DriftMonitor", "BatchPrediction"):
        meta = {"name": f"iris-{kind[0].lower()}", "namespace": "default"}
        moorage.store.apply(
            {"apiVersion": "moorage.dev/v1alpha1", "kind": kind, "metadata": meta, "spec": {}}
        )
    assert complete(moorage, "moorage logs i", 2) == ["iris", "iris-d", "iris-b"]
    assert complete(moorage, "moorage events i", 2) == ["iris", "iris-d"]
    assert complete(moorage, "moorage wait bpred i", 3) == ["iris-b"]


def test_crds_are_printed_written_and_checked(tmp_path):
    assert len(list(values_of(run("crds", "generate").output, "x"))) == 6
    assert run("crds", "generate", "--check", str(tmp_path)).exit_code == 1
    assert len(run("crds", "generate", "--output", str(tmp_path)).output.split()) == 6
    assert "are up to date" in run("crds", "generate", "--check", str(tmp_path)).output
    changed = tmp_path / "moorage.dev_modelservings.yaml"
    changed.write_text(changed.read_text() + "\n")
    done = run("crds", "generate", "--check", str(tmp_path))
    assert (done.exit_code, "moorage.dev_modelservings.yaml" in done.stderr) == (1, True)


def plan(text, *words):
    return CliRunner().invoke(cli, ["plan", "-f", "-", *words], input=text)


def test_plan_prints_what_would_be_made():
    done = plan(SERVING.replace("FRAMEWORK", "sklearn"))
    assert done.exit_code == 0
    children = list(values_of(done.stdout, "x"))
    assert {"Deployment", "Service", "ConfigMap"} <= {child["kind"] for child in children}
    images = [runtime["spec"]["image"] for runtime in catalogue.load()]
    deployment = next(child for child in children if child["kind"] == "Deployment")
    assert deployment["spec"]["template"]["spec"]["containers"][0]["image"] in images
    assert "deployment/iris" in plan(SERVING.replace("FRAMEWORK", "sklearn"), "-o", "name").stdout.split()
    assert len(
        json.loads(plan(SERVING.replace("FRAMEWORK", "sklearn"), "-o", "json").stdout)["items"]
    ) == len(children)


def test_plan_knows_the_runtimes_of_the_manifests_and_says_what_is_refused():
    refused = plan(SERVING.replace("FRAMEWORK", "paddle"))
    assert refused.exit_code == 1
    assert 'ModelServing "iris": NoSupportingRuntime' in refused.stderr
    runtime = """---
apiVersion: moorage.dev/v1alpha1
kind: ClusterModelRuntime
metadata: {name: paddle}
spec: {image: "mine/paddle:1", frameworks: [{name: paddle}]}
"""
    assert "mine/paddle:1" in plan(SERVING.replace("FRAMEWORK", "paddle") + runtime).stdout
    assert run("plan").exit_code == 2


TEST = """
apiVersion: moorage.dev/v1alpha1
kind: ModelTest
metadata: {name: live}
spec:
  servingRef: {name: iris}
  dataset: {uri: "s3://a/b.csv", labelColumn: label}
"""


def names(done):
    return [line.partition("/")[0] for line in done.stdout.split()]


def test_plan_takes_the_serving_of_a_test_for_ready(moorage):
    serving = SERVING.replace("FRAMEWORK", "sklearn")
    alone = moorage("plan", "-f", "-", "-o", "name", stdin=TEST)
    assert alone.stdout == ""
    assert 'ModelTest "live": ReferenceNotFound: ModelServing default/iris does not exist' in alone.stderr
    both = moorage("plan", "-f", "-", "-o", "name", stdin=f"{TEST}---{serving}")
    assert names(both)[:2] == ["configmap", "job"]
    moorage("apply", "-f", "-", stdin=serving)
    assert names(moorage("plan", "-f", "-", "-o", "name", stdin=TEST)) == ["configmap", "job"]


def test_down_without_anything_running(moorage):
    moorage.serving()
    (moorage.state / "mine.txt").write_text("keep")
    assert moorage("down").stdout == f"no `moorage up` runs for {moorage.state}\n"
    assert "removed all but mine.txt" in moorage("down", "--purge").stdout
    assert [path.name for path in moorage.state.iterdir()] == ["mine.txt"]
    assert f"nothing to remove at {moorage.state}" in moorage("down", "--purge").stdout
    assert (moorage.state / "mine.txt").exists()


def test_a_second_up_says_whose_the_folder_is(moorage):
    with held(moorage.state):
        done = moorage("up", code=1)
    assert f"running already with state folder {moorage.state} (process {os.getpid()})" in done.stderr


def test_up_names_a_path_that_is_not_there(moorage):
    assert "absent.yaml" in moorage("up", "-f", "absent.yaml", code=1).stderr


def test_a_second_up_leaves_what_the_first_was_started_with(moorage):
    options.write(moorage.state, {"kafka": "broker:9092", "objectStore": None})
    with held(moorage.state):
        moorage("up", "--kafka", "other:9092", code=1)
    assert options.options(moorage.state)["kafka"] == "broker:9092"


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--kafka", "broker", "'broker' is not HOST:PORT[,HOST:PORT]"),
        ("--kafka", "kafka://broker:9092", "is not HOST:PORT"),
        ("--object-store", "s3://bucket", "neither http(s)://HOST[:PORT] nor a folder"),
        ("--object-store", "http://", "neither"),
    ],
)
def test_up_refuses_an_address_that_cannot_be_one(moorage, option, value, words):
    assert words in moorage("up", option, value, code=2).stderr


def test_a_failure_is_shown_on_stderr(capsys):
    Failure("error: x").show()
    assert capsys.readouterr().err == "error: x\n"


STUBBORN = """
import signal, sys
from pathlib import Path
from moorage_operator.local.lock import held

signal.signal(signal.SIGTERM, signal.SIG_IGN if sys.argv[2] == "deaf" else signal.SIG_DFL)
with held(Path(sys.argv[1])):
    print("held", flush=True)
    signal.pause()
"""


@pytest.mark.parametrize(("ear", "code"), [("hearing", 0), ("deaf", 1)])
def test_down_waits_for_the_end_of_the_process(moorage, ear, code):
    command = [sys.executable, "-c", STUBBORN, str(moorage.state), ear]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holding:
        assert holding.stdout.readline() == "held\n"
        done = moorage("down", "--timeout", "1" if code else "20", code=code)
        if code:
            assert done.stderr.startswith(f"error: process {holding.pid} has not ended after 1 s")
            holding.kill()
        else:
            assert done.stdout == f"stopped process {holding.pid}\n"
            assert holding.poll() is not None
