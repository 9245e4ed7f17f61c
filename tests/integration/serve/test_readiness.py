"""Who gets traffic when: ready pods share the port, a broken one takes it only while nobody else has it."""

import json
import shutil
import subprocess
import sys

import sklearn
from prometheus_client.parser import text_string_to_metric_families

from parts.base import free_port, wait_until

ROW = [5.1, 3.5, 1.4, 0.2]


def model(path, name="iris", **more):
    return {"name": name, "uri": str(path), "framework": "sklearn", **more}


def broken(iris):
    return [model(iris), model(iris.parent / "missing.joblib", "gone")]


def test_status_and_metrics_tell_what_is_served(server):
    status, document = server.get("/moorage/v1/status", server.management)
    assert status == 200
    assert document["ready"] is True
    (served,) = document["models"]
    assert (served["name"], served["version"], served["state"], len(served["digest"])) == (
        "iris",
        "v3",
        "Ready",
        64,
    )
    for port in (server.port, server.management):
        families = {f.name for f in text_string_to_metric_families(server.get("/metrics", port)[1])}
        assert {"moorage_requests", "moorage_model_info", "process_cpu_seconds"} <= families
    assert server.get("/live", server.management) == (200, {"live": True})


def test_a_failed_model_keeps_the_pod_unready_while_its_siblings_answer(serve, iris):
    running = serve(broken(iris))
    status, why = running.get("/ready", running.management)
    assert status == 503
    assert "missing.joblib" in why["error"]
    wait_until(lambda: running.get("/v2/health/live")[0] == 200, "the traffic port")
    for port in (running.port, running.management):
        assert running.post("/v1/models/iris:predict", {"instances": [ROW]}, port) == (
            200,
            {"predictions": [0]},
        )
        status, reply = running.post("/v1/models/gone:predict", {"instances": [ROW]}, port)
        assert status == 503
        assert "missing.joblib" in reply["error"]
    status, reply = running.get("/v2/models/gone/ready")
    assert (status, reply["ready"]) == (503, False)
    assert "ModelLoadFailed" in reply["error"]
    assert running.get("/v2/health/ready") == (503, {"ready": False})
    states = {m["name"]: m for m in running.get("/moorage/v1/status", running.management)[1]["models"]}
    assert states["gone"]["state"] == "Failed"
    assert "missing.joblib" in states["gone"]["message"]


def test_an_artifact_that_comes_late_is_loaded(serve, iris, tmp_path):
    late = tmp_path / "late.joblib"
    running = serve([model(late)])
    wait_until(lambda: "retrySeconds" in running.process.tail(), "the first failed try")
    shutil.copy(iris, late)
    wait_until(running.ready, "readiness")
    assert running.post("/v1/models/iris:predict", {"instances": [ROW]}) == (200, {"predictions": [0]})
    (served,) = running.get("/moorage/v1/status", running.management)[1]["models"]
    assert served.get("message") is None


def test_any_model_is_enough_where_the_config_says_so(serve, iris):
    running = serve(broken(iris), http={"readyWhen": "AnyModel"})
    wait_until(running.ready, "readiness")
    assert running.post("/v1/models/iris:predict", {"instances": [ROW]})[0] == 200


def test_a_pod_without_any_model_opens_no_traffic_port(serve, iris):
    running = serve([model(iris.parent / "missing.joblib")])
    assert running.get("/v2/health/live") == (0, None)
    assert running.get("/v2/health/live", running.management)[0] == 200


def test_a_bad_revision_gets_none_of_the_traffic_of_a_good_one(serve, iris):
    good = serve([model(iris)], revision="good")
    wait_until(good.ready, "readiness")
    bad = serve(broken(iris), port=good.port, revision="bad")
    wait_until(lambda: "stays closed" in bad.process.tail(), "the refusal of the port")
    # every connection is a new one, so the kernel would spread them if both listened
    assert {good.post("/v2/models/iris/ready", {})[0] for _ in range(20)} == {405}
    assert {good.get("/v2/models/gone/ready")[0] for _ in range(40)} == {404}
    assert bad.post("/v1/models/iris:predict", {"instances": [ROW]}, bad.management)[0] == 200


def test_the_fixed_revision_comes_in_beside_a_bad_one(serve, iris):
    bad = serve(broken(iris), revision="bad")
    wait_until(lambda: bad.get("/v2/health/live")[0] == 200, "the traffic port")
    good = serve([model(iris)], port=bad.port, revision="good")
    wait_until(good.ready, "readiness")
    assert bad.process.stop() == 0
    assert {good.get("/v2/models/gone/ready")[0] for _ in range(20)} == {404}


def test_two_ready_pods_share_the_port(serve, iris):
    first = serve([model(iris)])
    second = serve([model(iris)], port=first.port)
    wait_until(lambda: first.ready() and second.ready(), "readiness of both")
    for _ in range(60):
        assert first.post("/v1/models/iris:predict", {"instances": [ROW]})[0] == 200

    def answered(running):
        families = text_string_to_metric_families(running.get("/metrics", running.management)[1])
        return sum(
            s.value
            for f in families
            for s in f.samples
            if s.name == "moorage_requests_total" and s.labels["dialect"] == "v1"
        )

    counts = [answered(first), answered(second)]
    assert sum(counts) == 60
    assert all(counts)


def test_mlruns_environment_is_enough(iris, tmp_path):
    port, management = free_port(), free_port()
    env = {
        "SERVING_MODEL_iris_dataset_v1": str(iris),
        "INFERENCE_STREAM": "users/admin/tststream",
        "PATH": "/usr/bin",
    }
    command = [
        *(sys.executable, "-m", "moorage_runtime", "serve", "--host", "127.0.0.1"),
        *("--port", str(port), "--management-port", str(management)),
    ]
    process = subprocess.Popen(command, env=env, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    try:
        lines = []
        while not any('"ready"' in line for line in lines):
            lines.append(process.stdout.readline())
            assert lines[-1], lines
        assert json.loads(lines[-1]) == {"message": "ready", "port": port}
        import urllib.request

        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/iris_dataset_v1/predict",
            data=json.dumps({"instances": [ROW]}).encode(),
            method="PUT",
        )
        with urllib.request.urlopen(request, timeout=10) as reply:
            assert json.load(reply) == [0]
    finally:
        process.terminate()
        rest = process.communicate(timeout=30)[0]
    assert process.returncode == 0
    assert '"stopped"' in rest
    segments = list((tmp_path / "users/admin/tststream").glob("*.jsonl"))
    assert sum(len(segment.read_text().splitlines()) for segment in segments) == 1


def test_faults_of_the_configuration_are_one_line(iris, tmp_path):
    def run(*words, env=None):
        command = [sys.executable, "-m", "moorage_runtime", *map(str, words)]
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={"PATH": "/usr/bin", **(env or {})},
        )
        return done.returncode, done.stderr.strip().splitlines()

    config = tmp_path / "config.json"
    assert run("serve") == (
        2,
        ["moorage-runtime: no model to serve: give --config FILE or SERVING_MODEL_<name>=<path>"],
    )
    code, (line,) = run("serve", "--config", config)
    assert (code, "No such file" in line) == (2, True)
    config.write_text('{"models": [{"name": "x"}]}')
    code, (line,) = run("serve", "--config", config)
    assert (code, "models.0.uri" in line) == (2, True)
    config.write_text(json.dumps({"models": [model(iris, "x")]}))
    code, (line,) = run("serve", "--config", config, env={"SERVING_MODEL_x": str(iris)})
    assert (code, "SERVING_MODEL_x" in line) == (2, True)
    unwritable = {"SERVING_MODEL_x": str(iris), "INFERENCE_STREAM": "/proc/nowhere/stream"}
    code, (line,) = run("serve", env=unwritable)
    assert (code, "/proc/nowhere/stream" in line) == (1, True)


def test_a_port_in_use_is_said_at_once(server, iris):
    import socket

    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "moorage_runtime",
                "serve",
                "--host",
                "127.0.0.1",
                "--port",
                str(holder.getsockname()[1]),
            ],
            env={"SERVING_MODEL_x": str(iris), "PATH": "/usr/bin"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 1
    assert "the port is in use" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_doubt_about_a_model_is_in_status_and_log_while_it_answers(serve, iris, tmp_path):
    current = sklearn.__version__.encode()
    data = iris.read_bytes()
    assert current in data
    other = tmp_path / "older.joblib"
    other.write_bytes(data.replace(current, b"0" * (len(current) - 2) + b".1"))
    running = serve([model(other)])
    wait_until(running.ready, "readiness")
    (served,) = running.get("/moorage/v1/status", running.management)[1]["models"]
    assert served["state"] == "Ready"
    assert "saved by scikit-learn" in served["message"]
    assert "reason" not in served
    assert "saved by scikit-learn" in running.process.tail()
    assert running.post("/v1/models/iris:predict", {"instances": [ROW]}) == (200, {"predictions": [0]})
