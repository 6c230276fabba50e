"""The fitted ElasticNet as plain numbers: what model.json holds and how it scores."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from search_spaces.errors import StudyError

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

Floats = NDArray[np.float64]
FILE = "model.json"
VERSION = 1


@dataclass(frozen=True)
class ElasticNetModel:
    """Numbers of one fitted pipeline; `kept`, `means`, `scales` and `coefficients` are parallel.

    logit = intercept + sum((x[kept] - means) / scales * coefficients), x in the order of `features`.
    """

    features: tuple[str, ...]
    kept: tuple[int, ...]
    means: tuple[float, ...]
    scales: tuple[float, ...]
    coefficients: tuple[float, ...]
    intercept: float
    version: int = VERSION

    @classmethod
    def of(cls, fitted: Pipeline, features: list[str]) -> ElasticNetModel:
        """Read the numbers from a fitted pipeline of elasticnet.pipeline."""
        distinct, scale, model = (fitted[step] for step in ("distinct", "scale", "model"))
        return cls(
            features=tuple(features),
            kept=tuple(int(column) for column in distinct.kept_),
            means=_floats(scale.mean_),
            scales=_floats(scale.scale_),
            coefficients=_floats(model.coef_[0]),
            intercept=float(model.intercept_[0]),
        )

    def logits(self, features: Floats) -> Floats:
        """Log-odds of the positive class, one per row of features (regions, all features)."""
        kept = features[:, list(self.kept)]
        scores = (kept - np.asarray(self.means)) / np.asarray(self.scales)
        return np.asarray(scores @ np.asarray(self.coefficients) + self.intercept, dtype=np.float64)

    def table(self) -> pl.DataFrame:
        """Kept features with their coefficients per training deviation, the strongest first."""
        names = [self.features[column] for column in self.kept]
        table = pl.DataFrame({"feature": names, "coefficient": list(self.coefficients)})
        return table.sort(pl.col("coefficient").abs(), descending=True, maintain_order=True)

    def fingerprint(self) -> str:
        """SHA-256 over kept features, coefficients and intercept, bit for bit."""
        numbers = np.asarray([*self.kept, *self.coefficients, self.intercept], dtype="<f8")
        return hashlib.sha256(numbers.tobytes()).hexdigest()

    def write(self, folder: Path) -> None:
        """Leave model.json; JSON numbers read back to the same bits."""
        (folder / FILE).write_text(json.dumps(asdict(self), indent=1), encoding="utf-8")


def read_model(folder: Path) -> ElasticNetModel:
    """Read the model that a fit job published in a folder."""
    values: dict[str, Any] = json.loads((folder / FILE).read_text(encoding="utf-8"))
    if values["version"] != VERSION:
        raise StudyError(
            f"{folder / FILE}: version {values['version']!r}, this release reads {VERSION}; fit the study again."
        )
    lists: dict[str, Any] = {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
    return ElasticNetModel(**{**values, **lists})


def _floats(values: Floats) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
