"""What MLflow runs when a registered model is loaded: it copies this file beside the bundle, so nothing is pickled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

# Imported for their names too: MLflow reads the annotations of `predict`, and warns where it cannot find them.
import mlflow
import pandas
from mlflow.pyfunc import PythonModel, PythonModelContext

from infra.environment import quiet_environment


class ServedBundle(PythonModel):
    """A bundle behind MLflow's interface; osteogrid must be installed where it is loaded."""

    def load_context(self, context: PythonModelContext) -> None:
        """Read the bundle, and refuse one that was changed."""
        quiet_environment()
        from trainables.bundles.bundle import Bundle

        self._bundle = Bundle.read(Path(context.artifacts["bundle"]))

    def predict(
        self, context: PythonModelContext, model_input: pandas.DataFrame, params: dict[str, Any] | None = None
    ) -> pandas.DataFrame:
        """One row per row of the input: path, and x0, y0, x1, y1 in pixels of the file where a box is scored."""
        from trainables.bundles.rows import answer_rows

        return pandas.DataFrame(answer_rows(self._bundle, model_input.to_dict("records")))


mlflow.models.set_model(ServedBundle())
