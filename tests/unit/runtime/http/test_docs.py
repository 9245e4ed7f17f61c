"""What docs/serving.md says of paths, metrics, codes and classes is so."""

import re
from pathlib import Path

import pytest

from moorage_runtime.config import CaptureStatus, ModelConfig, StorageConfig
from moorage_runtime.http.limits import Limits
from moorage_runtime.http.metrics import Metrics
from moorage_runtime.models import load
from moorage_runtime.models.signature import arrange

PAGE = (Path(__file__).parents[4] / "docs" / "serving.md").read_text()
CLASSES = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def documented_paths():
    """(method, path) of the table of paths; alternatives in braces are paths of their own."""
    for row in re.findall(r"^\|[^|]*\| ((?:GET|POST)[^|]*)\|", PAGE, re.MULTILINE):
        method = row.split()[0]
        for path in re.findall(r"`(/[^`]*)`", row):
            stem, _, several = path.partition("{")
            for last in several.rstrip("}").split(",") if several else [""]:
                yield method, (stem + last).replace("/M", "/user").replace("OPERATION", "shout")


PATHS = list(documented_paths())


@pytest.mark.parametrize(("method", "path"), PATHS)
async def test_the_path_exists(app, method, path):
    reply = await app.ask(method, path, {"inputs": [[1, 2, 3, 4]]} if method == "POST" else None)
    assert reply.status in (200, 400)


def test_all_rows_were_found():
    assert len(PATHS) > 18


def test_the_metrics_are_those_that_are_exposed(app):
    metrics = Metrics(app.gate, lambda: [each.status() for each in app.models.values()], CaptureStatus)
    metrics.route("iris", "v1").count(200, 1)
    exposed = set(re.findall(r"^# TYPE (moorage_\w+) ", metrics.expose().decode(), re.MULTILINE))
    assert set(re.findall(r"`(moorage_\w+)`", PAGE)) == exposed


def test_the_limits_are_those_of_the_code():
    limits = Limits()
    assert "| `maxBodyBytes` | 16 MiB |" in PAGE
    assert limits.body == 16 << 20
    assert "| bodies in flight | 64 MiB or 4 " in PAGE
    assert limits.bodies == 64 << 20
    assert f"| `maxInFlight` | {limits.in_flight} |" in PAGE
    assert f"beyond {limits.head >> 10} KiB" in PAGE
    assert f"| {limits.idle // 10**9} s, {limits.stalled // 10**9} s |" in PAGE


@pytest.mark.parametrize(
    ("text", "parameters", "answer"),
    [(CLASSES[0], {}, [[2, 4], [6, 8]]), (CLASSES[1], {"times": 2}, [6, 14])],
    ids=["plain", "mlrun"],
)
def test_the_example_classes_work(tmp_path, text, parameters, answer):
    module = f"documented_{len(parameters)}"
    (tmp_path / f"{module}.py").write_text(text)
    name = re.search(r"class (\w+)", text)[1]
    config = ModelConfig(
        name="x", uri=str(tmp_path), code_uri=str(tmp_path), framework="python",
        python_class=f"{module}:{name}", parameters=parameters,
    )  # fmt: skip
    model = load(config, StorageConfig(), tmp_path / "cache").model
    inputs = arrange([[1, 2], [3, 4]], model.signature)
    assert model.predict(inputs, ("predict",))["predict"].tolist() == answer
