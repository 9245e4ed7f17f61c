"""Batch workers as processes, over a folder or a real S3 server."""

import json
import sys
from pathlib import Path

import joblib
import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from conftest import provide
from parts import Process
from parts.s3 import s3_server

FEATURES = ["sepal_length", "sepal_width", "petal_length", "petal_width"]
FILES, ROWS = 24, 10_000


@pytest.fixture(scope="session")
def s3():
    yield from provide(s3_server)


@pytest.fixture(scope="session")
def published(tmp_path_factory) -> Path:
    """models/iris.joblib and data/NN.parquet, each file a fragment of 10,000 rows."""
    folder = tmp_path_factory.mktemp("published")
    rows, labels = load_iris(return_X_y=True)
    (folder / "models").mkdir()
    joblib.dump(LogisticRegression(max_iter=500).fit(rows, labels), folder / "models/iris.joblib")
    (folder / "data").mkdir()
    random = np.random.default_rng(4)
    for number in range(FILES):
        drawn = random.normal(rows.mean(0), rows.std(0), (ROWS, 4))
        table = {"id": np.arange(ROWS) + number * ROWS, **dict(zip(FEATURES, drawn.T, strict=True))}
        parquet.write_table(pa.table(table), folder / f"data/{number:02}.parquet")
    return folder


class Job:
    """A BatchPrediction's Job by hand: one worker process per index."""

    def __init__(self, folder: Path, root: str, results: Path, name: str, env=None, storage=None, **changes):
        self.folder, self.results, self.env = folder, results, env or {}
        self.started = 0
        self.document = {
            "name": name,
            "revision": "r1",
            "model": {
                "name": "iris",
                "uri": f"{root}/models/iris.joblib",
                "framework": "sklearn",
                "features": [{"name": feature, "type": "float64"} for feature in FEATURES],
            },
            "input": {"uri": f"{root}/data/*.parquet"},
            "outputUri": f"{root}/{name}",
            "keep": ["id"],
            "storage": storage or {},
            "cacheDir": str(folder / "cache"),
            "managementPort": None,
            **changes,
        }
        self.folder.mkdir(exist_ok=True, parents=True)

    def start(self, index: int = 0, **changes) -> Process:
        self.started += 1
        file = self.folder / f"{self.started}.json"
        file.write_text(json.dumps({**self.document, **changes}))
        env = {
            **self.env,
            "JOB_COMPLETION_INDEX": str(index),
            "MOORAGE_TERMINATION_LOG": str(self.folder / f"{self.started}.last"),
            "PYTHONWARNINGS": "default",
        }
        command = [sys.executable, "-m", "moorage_runtime", "batch", "--config", file]
        return Process(command, self.folder / f"{self.started}.log", env)

    def run(self, index: int = 0, **changes) -> int:
        process = self.start(index, **changes)
        code = process.process.wait(120)
        assert "Warning" not in process.tail(), process.tail()
        return code

    def status(self) -> dict:
        return json.loads((self.folder / f"{self.started}.last").read_bytes())

    def seen(self) -> dict[str, bytes]:
        """All that a reader of the output finds; locks and unfinished files are hidden."""
        return {
            str(file.relative_to(self.results)): file.read_bytes()
            for file in sorted(self.results.rglob("*"))
            if file.is_file() and not file.name.startswith(".")
        }

    def parts(self) -> list[Path]:
        return sorted(self.results.glob("[!_]*/part-*.parquet"))

    def table(self) -> pa.Table:
        return pa.concat_tables([parquet.read_table(file) for file in self.parts()])


@pytest.fixture(params=["folder", "s3"])
def job(request, published, tmp_path):
    """Makes jobs over the published data set, by their name."""
    if request.param == "folder":
        root = tmp_path / "store"
        root.mkdir()
        (root / "data").symlink_to(published / "data")
        (root / "models").symlink_to(published / "models")
        return lambda name, **changes: Job(tmp_path / name, str(root), root / name, name, **changes)
    s3 = request.getfixturevalue("s3")
    bucket = f"b{abs(hash(str(tmp_path))):x}"[:20]
    root = s3.bucket(bucket)
    for file in (*published.rglob("*.parquet"), *published.rglob("*.joblib")):
        target = root / file.relative_to(published)
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(file.read_bytes())
    storage = {"endpoint": s3.endpoint, "region": s3.region}
    return lambda name, **changes: Job(
        tmp_path / name, f"s3://{bucket}", root / name, name, env=s3.env, storage=storage, **changes
    )
