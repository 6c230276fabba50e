"""The images on which some cells can be compared."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from evaluation.arrays import Bools
from evaluation.discrimination.clustered import Clusters


@dataclass(frozen=True, eq=False)
class Cases:
    """The images that some cells all scored, and on whose label they agree."""

    used: Bools
    """Which of the panel's images these are."""
    labels: NDArray[np.int64]
    patients: NDArray[np.int64]

    @cached_property
    def clusters(self) -> Clusters:
        """Positives and negatives by patient."""
        return Clusters.of(self.labels, self.patients)

    @property
    def n_positive(self) -> int:
        """Positive images."""
        return int(self.labels.sum())

    @property
    def n_negative(self) -> int:
        """Negative images."""
        return self.labels.size - self.n_positive

    @property
    def one_class(self) -> bool:
        """Whether there is nothing to discriminate."""
        return self.n_positive == 0 or self.n_negative == 0
