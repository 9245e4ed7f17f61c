"""What differs between the examples: names, one row and its answer, and what is shifted to make drift."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Case:
    """An example as the demo walks through it."""

    folder: str
    serving: str
    model: str
    test: str
    monitor: str
    batch: str
    row: list[float]
    answers: tuple[Any, ...]
    uri: str
    bucket_folder: str
    """Of its data sets, below s3://data/."""
    output: str
    """The prediction's name."""
    shifted: tuple[str, ...]
    """Features that are moved by `shift` standard deviations to make drift."""
    shift: float = 1.0

    def topic(self, name: str) -> str:
        """One of the topics that its manifests name."""
        return f"{self.serving}.{name}"

    @property
    def topics(self) -> tuple[str, ...]:
        """All of them."""
        return tuple(self.topic(name) for name in ("capture", "in", "out", "dead", "labels"))

    @property
    def broken_uri(self) -> str:
        """The address of the broken model: the next version of the same folder."""
        return f"{self.uri}-broken"


CASES = {
    "iris": Case(
        folder="iris",
        serving="iris",
        model="iris_dataset_v1",
        test="iris-live",
        monitor="iris",
        batch="iris-backlog",
        row=[5.1, 3.5, 1.4, 0.2],
        answers=(0,),
        uri="s3://models/iris/v3",
        bucket_folder="iris",
        output="species",
        shifted=("petal_length", "petal_width"),
    ),
    "breast_cancer": Case(
        folder="breast_cancer",
        serving="breast-cancer",
        model="breast_cancer",
        test="breast-cancer-live",
        monitor="breast-cancer",
        batch="breast-cancer-backlog",
        row=[
            *(14.0, 19.0, 92.0, 655.0, 0.1, 0.1, 0.09, 0.05, 0.18, 0.06),
            *(0.4, 1.2, 2.9, 40.0, 0.007, 0.025, 0.03, 0.01, 0.02, 0.004),
            *(16.0, 25.7, 107.0, 880.0, 0.13, 0.25, 0.27, 0.11, 0.29, 0.08),
        ],
        answers=("benign", "malignant"),
        uri="s3://models/breast-cancer/v1",
        bucket_folder="breast-cancer",
        output="diagnosis",
        shifted=("worst_texture", "worst_smoothness", "mean_symmetry"),
    ),
}
