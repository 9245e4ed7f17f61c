"""A model and a data set, small enough that a run takes milliseconds."""

import joblib
import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from moorage_runtime.batch_predict.limits import Limits
from moorage_runtime.batch_predict.main import main
from moorage_runtime.config import BatchPredictConfig, BatchPredictStatus

FEATURES = ["sepal_length", "sepal_width", "petal_length", "petal_width"]
SMALL = Limits(
    fragment_rows=40, slice_rows=40, fragment_bytes=2000, batch_rows=16, block_bytes=600, group_rows=32
)


@pytest.fixture(scope="session")
def estimator():
    rows, labels = load_iris(return_X_y=True)
    return LogisticRegression(max_iter=500).fit(rows, labels)


@pytest.fixture(scope="session")
def model_file(estimator, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "iris.joblib"
    joblib.dump(estimator, path)
    return path


@pytest.fixture(scope="session")
def flowers():
    rows, _ = load_iris(return_X_y=True)
    named = {name: np.round(rows[:, place], 3) for place, name in enumerate(FEATURES)}
    return pa.table({"id": np.arange(len(rows)), **named})


class Batch:
    """One BatchPrediction by hand: `run` gives exit code and status, `table` the predictions in order."""

    def __init__(self, folder, model_file, monkeypatch):
        self.folder, self.monkeypatch = folder, monkeypatch
        self.document = {
            "name": "flowers",
            "revision": "r1",
            "model": {
                "name": "iris",
                "uri": str(model_file),
                "framework": "sklearn",
                "version": "v3",
                "features": [{"name": name, "type": "float64"} for name in FEATURES],
            },
            "input": {"uri": str(folder / "in")},
            "outputUri": str(folder / "out"),
            "keep": ["id"],
            "managementPort": None,
        }
        (folder / "in").mkdir()

    def run(self, index=0, limits=SMALL, **changes):
        document = {**self.document, **changes}
        log = self.folder / f"termination-{index}"
        self.monkeypatch.setenv("JOB_COMPLETION_INDEX", str(index))
        self.monkeypatch.setenv("MOORAGE_TERMINATION_LOG", str(log))
        code = main(BatchPredictConfig.model_validate(document), limits)
        return code, BatchPredictStatus.model_validate_json(log.read_bytes())

    def put(self, name, table, **options):
        parquet.write_table(table, self.folder / "in" / name, **options)

    def files(self, run):
        return sorted((self.folder / "out" / run).iterdir())

    def table(self, run):
        return pa.concat_tables([parquet.read_table(file) for file in self.files(run)])


@pytest.fixture
def batch(tmp_path, model_file, monkeypatch):
    return Batch(tmp_path, model_file, monkeypatch)
