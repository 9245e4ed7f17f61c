"""Train the breast-cancer model and publish everything that the manifests beside this file name.

models/breast-cancer/v1/model.joblib    gradient-boosted trees over 30 features
data/breast-cancer/test.parquet         held-out tumours with their diagnosis
data/breast-cancer/reference.parquet    8,000 rows of the population and what the model makes of them, for drift
data/breast-cancer/traffic.parquet      2,400 further rows of the same population
data/breast-cancer/backlog.parquet      1,000,000 more, for a batch
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import pandas as pd
from population import Population
from publish import arguments, joblib_bytes, parquet_bytes, publish
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.model_selection import train_test_split


def main() -> None:
    """Train on a named frame, so that the artifact itself carries the features' names."""
    to = arguments(__doc__).to
    data = load_breast_cancer()
    features = [name.replace(" ", "_") for name in data.feature_names]
    rows = pd.DataFrame(data.data, columns=features)
    diagnosis = data.target_names[data.target]
    seen, held_out, seen_diagnosis, held_out_diagnosis = train_test_split(
        rows, diagnosis, test_size=0.3, stratify=diagnosis, random_state=7
    )
    model = GradientBoostingClassifier(random_state=7).fit(seen, seen_diagnosis)
    population = Population.fit(data.data, data.target, decimals=5)
    reference = population.sample(8000, seed=21)

    def named(values: np.ndarray) -> dict[str, np.ndarray]:
        return dict(zip(features, values.T, strict=True))

    publish(
        to,
        {
            "models/breast-cancer/v1/model.joblib": joblib_bytes(model),
            "data/breast-cancer/test.parquet": parquet_bytes(
                {**held_out, "diagnosis": held_out_diagnosis.astype(object)}
            ),
            "data/breast-cancer/reference.parquet": parquet_bytes(
                {**named(reference), "diagnosis": model.predict(pd.DataFrame(reference, columns=features))}
            ),
            "data/breast-cancer/traffic.parquet": parquet_bytes(named(population.sample(2400, seed=22))),
            "data/breast-cancer/backlog.parquet": parquet_bytes(
                {"id": np.arange(1_000_000), **named(population.sample(1_000_000, seed=23))}
            ),
        },
    )
    print(f"accuracy on {len(held_out)} held-out tumours: {model.score(held_out, held_out_diagnosis):.3f}")


if __name__ == "__main__":
    main()
