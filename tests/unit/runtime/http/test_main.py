"""The configuration of a server: file, environment and command line."""

import json

import pytest

from moorage_runtime.__main__ import BadConfigError, main, serve_config

MODEL = {"name": "iris", "uri": "/m/iris.joblib", "framework": "sklearn"}


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"models": [MODEL], "http": {"port": 9000}, "managementPort": 9002}))
    return path


def test_the_command_line_wins_over_the_file(file):
    config = serve_config(file, {}, "127.0.0.1", 9100, 9102)
    assert (config.http.host, config.http.port, config.management_port) == ("127.0.0.1", 9100, 9102)
    kept = serve_config(file, {})
    assert (kept.http.port, kept.management_port) == (9000, 9002)


def test_models_of_the_environment_come_beside_those_of_the_file(file):
    config = serve_config(file, {"SERVING_MODEL_other": "/m/other.joblib", "INFERENCE_STREAM": "a/b"})
    assert [model.name for model in config.models] == ["iris", "other"]
    assert config.capture.stream.uri == "a/b"


def test_the_manifests_capture_wins_over_the_environments(file):
    document = json.loads(file.read_text()) | {"capture": {"stream": {"uri": "from/manifest"}}}
    file.write_text(json.dumps(document))
    assert serve_config(file, {"INFERENCE_STREAM": "from/env"}).capture.stream.uri == "from/manifest"


@pytest.mark.parametrize(
    ("env", "ports", "message"),
    [
        ({"SERVING_MODEL_iris": "/x"}, (None, None), "SERVING_MODEL_iris"),
        ({"INFERENCE_STREAM": "a", "INFERENCE_STREAM_SAMPLE": "x"}, (None, None), "INFERENCE_STREAM_SAMPLE"),
        ({}, (70000, None), "70000 is no port"),
        ({}, (9002, None), "both"),
    ],
)
def test_contradictions_are_refused(file, env, ports, message):
    with pytest.raises(BadConfigError, match=message):
        serve_config(file, env, None, *ports)


def test_usage_is_exit_code_2(capsys):
    for words in ([], ["serve", "--port", "x"], ["test"], ["dance"]):
        with pytest.raises(SystemExit) as ended:
            main(words)
        assert ended.value.code == 2
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main(["serve", "--help"])
    assert ended.value.code == 0
    assert "SERVING_MODEL_<name>" in capsys.readouterr().out
