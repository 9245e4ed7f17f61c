"""Two real models, each saved as a user would."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from moorage_runtime.config import ModelConfig, StorageConfig
from moorage_runtime.models import Loaded, load


@dataclass(frozen=True)
class Trained:
    estimator: Any
    x: Any
    """A DataFrame."""
    y: Any

    @property
    def rows(self) -> list[list[float]]:
        return self.x.to_numpy().tolist()


@pytest.fixture(scope="session")
def iris() -> Trained:
    data = load_iris(as_frame=True)
    return Trained(
        make_pipeline(StandardScaler(), LogisticRegression()).fit(data.data, data.target),
        data.data,
        data.target,
    )


@pytest.fixture(scope="session")
def cancer() -> Trained:
    data = load_breast_cancer(as_frame=True)
    labels = np.where(data.target == 1, "benign", "malignant")
    return Trained(
        HistGradientBoostingClassifier(max_iter=20, random_state=0).fit(data.data, labels), data.data, labels
    )


@pytest.fixture
def loaded(tmp_path: Path):
    """Load an artifact with fields of the config."""

    def call(path: Path | str, framework: str = "auto", **fields: Any) -> Loaded:
        config = ModelConfig.model_validate({"name": "m", "uri": str(path), "framework": framework, **fields})
        return load(config, StorageConfig(), tmp_path / "cache")

    return call


@pytest.fixture
def dumped(tmp_path: Path):
    """Save an object by joblib."""

    def call(value: Any, name: str = "model.joblib") -> Path:
        path = tmp_path / name
        joblib.dump(value, path)
        return path

    return call
