"""A population that a data set of a few hundred rows was drawn from, as one seeded generator.

150 flowers are too few for a drift reference, and resampling them is another population (each value would come
back dozens of times). So reference and traffic are both drawn from class-conditional normal distributions fitted
to the data, which makes them the same population by construction.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float64]


@dataclass(frozen=True)
class Population:
    """Per class: its share, mean (features,) and covariance (features, features); `least` bounds each feature."""

    shares: Rows
    means: Rows
    covariances: Rows
    least: Rows
    decimals: int

    @classmethod
    def fit(cls, rows: Rows, labels: NDArray[np.int64], decimals: int) -> "Population":
        """Fit to `rows` of shape (rows, features), rounded to `decimals` as the instrument did."""
        classes, counts = np.unique(labels, return_counts=True)
        return cls(
            shares=counts / counts.sum(),
            means=np.stack([rows[labels == k].mean(axis=0) for k in classes]),
            covariances=np.stack([np.cov(rows[labels == k], rowvar=False) for k in classes]),
            least=rows.min(axis=0),
            decimals=decimals,
        )

    def sample(self, rows: int, seed: int) -> Rows:
        """Draw `rows` rows; the same seed gives the same rows."""
        random = np.random.default_rng(seed)
        kinds = random.choice(len(self.shares), size=rows, p=self.shares)
        drawn = np.empty((rows, self.means.shape[1]))
        for kind, (mean, covariance) in enumerate(zip(self.means, self.covariances, strict=True)):
            of_kind = kinds == kind
            drawn[of_kind] = random.multivariate_normal(mean, covariance, size=int(of_kind.sum()))
        return np.maximum(np.round(drawn, self.decimals), self.least)
