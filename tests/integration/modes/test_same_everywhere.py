"""Every example's model predicts the same over HTTP, over a data set and from a stream, bit for bit."""

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import yaml
from pyarrow import parquet

from moorage_runtime.streams.base import Message
from moorage_runtime.streams.directory import DirectoryWriter
from parts import Process, free_port

EXAMPLES = Path(__file__).parents[3] / "examples"
NAMES = sorted(folder.name for folder in EXAMPLES.iterdir() if (folder / "train.py").is_file())
CLASSES = {"iris": 3, "breast_cancer": 2}


def trained(name, folder):
    """The example's model as its manifest has it, asked for its probabilities, too; and its traffic."""
    subprocess.run(
        [sys.executable, EXAMPLES / name / "train.py", "--to", str(folder)], check=True, capture_output=True
    )
    spec = yaml.safe_load((EXAMPLES / name / "manifests/serving.yaml").read_text())["spec"]["models"][0]
    probability = {"name": "probability", "type": "float64", "shape": [CLASSES[name]]}
    model = {
        "name": spec["name"],
        "uri": spec["uri"].replace("s3://", f"{folder}/"),
        "framework": spec["framework"]["name"],
        "outputs": [*spec["schema"]["outputs"], probability],
        **({"features": spec["schema"]["features"]} if "features" in spec["schema"] else {}),
    }
    (data,) = (folder / "data").glob("*/traffic.parquet")
    return model, parquet.read_table(data), data


def served(model, table, folder):
    """The answers over HTTP, by column."""
    config = folder / "serve.json"
    http, management = free_port(), free_port()
    config.write_text(
        json.dumps(
            {"models": [model], "http": {"host": "127.0.0.1", "port": http}, "managementPort": management}
        )
    )
    command = [sys.executable, "-m", "moorage_runtime", "serve", "--config", config]

    def ready():
        try:
            return urllib.request.urlopen(f"http://127.0.0.1:{management}/ready", timeout=5).status == 200
        except OSError:
            return False

    rows = np.stack([column.to_numpy() for column in table.columns], axis=1)
    body = {
        "inputs": [
            {"name": "x", "shape": list(rows.shape), "datatype": "FP64", "data": rows.ravel().tolist()}
        ]
    }
    with Process(command, folder / "serve.log") as server:
        server.wait_until(ready, "the server")
        url = f"http://127.0.0.1:{http}/v2/models/{model['name']}/infer"
        with urllib.request.urlopen(urllib.request.Request(url, data=json.dumps(body).encode())) as reply:
            answer = json.load(reply)
    return {output["name"]: np.array(output["data"]).reshape(output["shape"]) for output in answer["outputs"]}


def over_a_data_set(model, data, folder):
    """The predictions in Parquet, by column."""
    config = folder / "batch.json"
    document = {
        "model": model,
        "input": {"uri": str(data)},
        "outputUri": str(folder / "out"),
        "managementPort": None,
    }
    config.write_text(json.dumps(document))
    command = [sys.executable, "-m", "moorage_runtime", "batch", "--config", config]
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "JOB_COMPLETION_INDEX": "0"})
    found = pa.concat_tables([parquet.read_table(file) for file in sorted(folder.glob("out/[!_]*/part-*"))])
    assert found["error"].null_count == found.num_rows
    return found


def from_a_stream(model, table, folder):
    """The output records of as many input records, in their order."""
    streams = {name: folder / "streams" / name for name in ("in", "out", "dead")}
    writer = DirectoryWriter(streams["in"], 64 << 20)
    writer.write([Message(json.dumps(row).encode()) for row in table.to_pylist()])
    writer.close(30)
    config = folder / "stream.json"
    document = {
        "models": [model],
        "input": {"uri": str(streams["in"])},
        "output": {"uri": str(streams["out"])},
        "deadLetter": {"uri": str(streams["dead"])},
        "host": "127.0.0.1",
        "managementPort": free_port(),
    }
    config.write_text(json.dumps(document))

    def lines():
        return [
            line for file in sorted(streams["out"].glob("*.jsonl")) for line in file.read_bytes().splitlines()
        ]

    command = [sys.executable, "-m", "moorage_runtime", "stream", "--config", config]
    with Process(command, folder / "stream.log") as worker:
        worker.wait_until(lambda: len(lines()) >= table.num_rows, "an output for each input")
        assert worker.stop() == 0
    return [json.loads(line) for line in lines()]


@pytest.mark.parametrize("name", NAMES)
def test_a_model_predicts_the_same_in_every_mode(name, tmp_path):
    model, table, data = trained(name, tmp_path)
    wanted = served(model, table, tmp_path)
    batch, stream = over_a_data_set(model, data, tmp_path), from_a_stream(model, table, tmp_path)
    assert len(batch) == len(stream) == table.num_rows >= 1000
    assert len(wanted) == 2
    for output, values in wanted.items():
        column = np.array(batch[output].to_pylist())
        assert column.dtype == values.dtype
        assert column.tobytes() == values.tobytes(), output
        assert [record["outputs"][output] for record in stream] == values.tolist(), output
