"""Train the iris model and publish everything that the manifests beside this file name.

models/iris/v3/model.joblib      StandardScaler + LogisticRegression
data/iris/test.parquet           held-out flowers with their species
data/iris/reference.parquet      6,000 rows of the population and what the model makes of them, for drift
data/iris/traffic.parquet        2,400 further rows of the same population
data/iris/backlog.parquet        1,000,000 more, for a batch
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
from population import Population
from publish import arguments, joblib_bytes, parquet_bytes, publish
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

FEATURES = ["sepal_length", "sepal_width", "petal_length", "petal_width"]


def main() -> None:
    """Train, hold out, draw, publish."""
    to = arguments(__doc__).to
    rows, species = load_iris(return_X_y=True)
    seen, held_out, seen_species, held_out_species = train_test_split(
        rows, species, test_size=0.4, stratify=species, random_state=7
    )
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(seen, seen_species)
    population = Population.fit(rows, species, decimals=1)
    reference = population.sample(6000, seed=11)

    def named(values: np.ndarray) -> dict[str, np.ndarray]:
        return dict(zip(FEATURES, values.T, strict=True))

    publish(
        to,
        {
            "models/iris/v3/model.joblib": joblib_bytes(model),
            "data/iris/test.parquet": parquet_bytes({**named(held_out), "species": held_out_species}),
            "data/iris/reference.parquet": parquet_bytes(
                {**named(reference), "species": model.predict(reference)}
            ),
            "data/iris/traffic.parquet": parquet_bytes(named(population.sample(2400, seed=12))),
            "data/iris/backlog.parquet": parquet_bytes(
                {"id": np.arange(1_000_000), **named(population.sample(1_000_000, seed=13))}
            ),
        },
    )
    print(f"accuracy on {len(held_out)} held-out flowers: {model.score(held_out, held_out_species):.3f}")


if __name__ == "__main__":
    main()
