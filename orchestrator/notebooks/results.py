"""The frames of a study, each computed when it is first asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING, Any

import polars as pl

from orchestrator.journal import epochs_of
from orchestrator.lock import Lock
from orchestrator.plan import Plan
from orchestrator.reporting.certificates import certificates, trainings
from orchestrator.reporting.coefficients import coefficients, elastic_net_rows
from orchestrator.reporting.histories import trials, tuning_rows
from orchestrator.reporting.published import published
from orchestrator.reporting.results import cells, compare_cells, labels, predictions

if TYPE_CHECKING:
    from evaluation.comparison.comparing import Comparison

_EPOCHS = {
    **dict.fromkeys(("key", "kind", "name", "arm", "cell"), pl.String()),
    **dict.fromkeys(("fold", "seed", "trial", "epoch"), pl.Int64()),
    "time": pl.Datetime("ms", "UTC"),
    "metric": pl.String(),
    "value": pl.Float64(),
}
_LEFT = 'style="text-align: left"'


@dataclass(frozen=True, repr=False)
class Results:
    """The frames of a study; those of the comparison have the names and columns of the report's tables.

    While external centers are sealed, no frame holds a row of theirs, and their labels are not even read. A number
    that cannot be estimated is NaN.
    """

    made: Plan
    lock: Lock | None

    @cached_property
    def predictions(self) -> pl.DataFrame:
        """Every published score with its label: cell, arm, fold, seed, role, center, patient, image, region, variant,
        score, logit, label (1 or 0; images without a label in the arm are left out)."""
        is_open = self.made.external_open
        scores = predictions(self.made, open_external=is_open).join(self._arms, on="cell")
        truth = labels(self.made, open_external=is_open)
        return scores.join(truth, on=["arm", "center", "image"], maintain_order="left")

    @cached_property
    def detections(self) -> pl.DataFrame:
        """Every box that a detector drew: cell, fold, seed, role, center, patient, image, variant, x0, y0, x1, y1,
        score, class (0 is the target)."""
        from evaluation.tables import DETECTIONS

        found = published(self.made, "detections", open_external=self.made.external_open)
        return pl.concat([pl.DataFrame(schema=DETECTIONS), *found])

    @cached_property
    def epochs(self) -> pl.DataFrame:
        """Every metric of every epoch of finished jobs, one row each: key, kind, name, arm, cell, fold, seed, trial,
        epoch, time, metric, value."""
        return pl.DataFrame(list(self._epoch_rows()), schema=_EPOCHS, orient="row")

    @cached_property
    def tuning(self) -> pl.DataFrame:
        """What each cell's search chose: trials, finished, pruned, failed, value, hyperparameters, near_bound."""
        return self._of_report("tuning", tuning_rows(self.made))

    @cached_property
    def trials(self) -> pl.DataFrame:
        """Every trial: cell, trial, state, value, epochs_trained, chosen, and a column per hyperparameter."""
        return trials(self.made)

    @cached_property
    def certificates(self) -> pl.DataFrame:
        """Proven of each cell's trainings: file, sha256, tensors loaded, share, optimizer, checked, unproven."""
        return self._of_report("certificates", certificates(self.made, trainings(self.made)))

    @cached_property
    def elastic_nets(self) -> pl.DataFrame:
        """Per radiomics replicate: C, l1_ratio, inner and validation AUC, number of selected features."""
        return self._of_report("elastic_nets", elastic_net_rows(self.made))

    @cached_property
    def coefficients(self) -> pl.DataFrame:
        """Per radiomics cell and feature: replicates in which it was kept and selected; mean, min, max (log-odds)."""
        return coefficients(self.made)

    @property
    def scores(self) -> pl.DataFrame:
        """One score per cell and image, the mean of its replicates: arm, cell, role, center, patient, image, label,
        score, logit, replicates."""
        return self.comparison.scores

    @property
    def performance(self) -> pl.DataFrame:
        """How well each cell discriminates: cell, role, center ("all", "stratified"), n_positive, n_negative, auc, low,
        high, average_precision, single_mean (of single models) with single_low and single_high, replicates."""
        return self.comparison.performance

    @property
    def effects(self) -> pl.DataFrame:
        """Contrasts of single models, the primary inference: family, effect, first, second, role, center, difference,
        low, high, p, p_adjusted, backbones."""
        return self.comparison.effects

    @property
    def contrasts(self) -> pl.DataFrame:
        """Every pair of cells by the AUC of the aggregates: first, second, role, center, difference, low, high, p,
        p_adjusted, family."""
        return self.comparison.contrasts

    @property
    def operating_points(self) -> pl.DataFrame:
        """2 × 2 counts at thresholds: cell, role, center, rule, source, threshold, tp, fp, fn, tn, sensitivity,
        specificity, ppv, npv with intervals."""
        return self.comparison.operating_points

    @property
    def decisions(self) -> pl.DataFrame:
        """Paired tests of sensitivity, specificity, PPV and NPV at carried thresholds: first, second, rule, p."""
        return self.comparison.decisions

    @property
    def calibration(self) -> pl.DataFrame:
        """Slope, intercept, Brier score and distances per cell, role, center and recalibration."""
        return self.comparison.calibration

    @property
    def calibration_curves(self) -> pl.DataFrame:
        """Points of the calibration curves."""
        return self.comparison.calibration_curves

    @property
    def decision_curves(self) -> pl.DataFrame:
        """Net benefit over thresholds, per cell, role and center."""
        return self.comparison.decision_curves

    @property
    def net_benefit(self) -> pl.DataFrame:
        """Net benefit at single thresholds, with intervals."""
        return self.comparison.net_benefit

    @property
    def heterogeneity(self) -> pl.DataFrame:
        """How far AUCs and differences vary between centers: tau, I², Q, prediction interval."""
        return self.comparison.heterogeneity

    @property
    def center_probe(self) -> pl.DataFrame:
        """How well scores alone tell which center an image is from."""
        return self.comparison.center_probe

    @property
    def subgroups(self) -> pl.DataFrame:
        """AUC, sensitivity and specificity by age, sex, view and lesion size, with interaction_p."""
        return self.comparison.subgroups

    @property
    def roc(self) -> pl.DataFrame:
        """Points of the ROC curves: cell, role, center, threshold, false and true positive rate."""
        return self.comparison.roc

    @property
    def precision_recall(self) -> pl.DataFrame:
        """Points of the precision-recall curves."""
        return self.comparison.precision_recall

    @property
    def curve_bands(self) -> pl.DataFrame:
        """Bands around ROC and precision-recall curves."""
        return self.comparison.curve_bands

    @property
    def localization(self) -> pl.DataFrame:
        """How well detectors find lesions, means over replicates: map50, sensitivity_at_1 (false positive per image),
        afroc, wafroc."""
        return self.comparison.localization

    @property
    def froc(self) -> pl.DataFrame:
        """Points of the FROC curves: false_positives per image, sensitivity."""
        return self.comparison.froc

    @property
    def stability(self) -> pl.DataFrame:
        """Every cell under every perturbation: AUC and its change, mean_change, flips, ICC."""
        return self.comparison.stability

    @property
    def stability_pairs(self) -> pl.DataFrame:
        """Which cells are more stable: paired tests of patients' mean changes."""
        return self.comparison.stability_pairs

    @property
    def saliency(self) -> pl.DataFrame:
        """Where networks look against the boxes, per cell, role and center: pointing game, energy in the box, IoU."""
        return self.comparison.saliency

    @property
    def saliency_pairs(self) -> pl.DataFrame:
        """Which cells look more at the lesion: paired tests."""
        return self.comparison.saliency_pairs

    @cached_property
    def comparison(self) -> Comparison:
        """Everything that is computed from scores and labels; a minute or more for a large study, once."""
        return compare_cells(self.made, self.lock)

    @classmethod
    def told(cls) -> dict[str, str]:
        """Name of each frame -> what it holds."""
        return {
            name: " ".join((entry.__doc__ or "").split())
            for name, entry in vars(cls).items()
            if isinstance(entry, property | cached_property) and name != "comparison" and not name.startswith("_")
        }

    def __repr__(self) -> str:
        told = self.told()
        width = max(map(len, told))
        return "\n".join([f"{self._title()}:", *(f"  {name:<{width}}  {text}" for name, text in told.items())])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td {_LEFT}><code>{name}</code></td><td {_LEFT}>{escape(text)}</td></tr>"
            for name, text in self.told().items()
        )
        return f"<p>{escape(self._title())}</p><table><tbody>{rows}</tbody></table>"

    def _title(self) -> str:
        seal = "" if self.made.external_open else "; external centers are sealed, nothing of them is in it"
        return f"Results of {self.made.workspace.study.name!r}{seal}"

    @property
    def _arms(self) -> pl.DataFrame:
        return cells(self.made, self.lock).select("cell", "arm")

    def _of_report(self, name: str, rows: Iterator[dict[str, Any]]) -> pl.DataFrame:
        from evaluation.report.context import SCHEMAS

        return pl.DataFrame(list(rows), schema=SCHEMAS[name])

    def _epoch_rows(self) -> Iterator[tuple[Any, ...]]:
        store, external = self.made.workspace.run_store, self.made.workspace.study.cohort.external
        is_open = self.made.external_open
        for key, record in self.made.finished.items():
            job = self.made.jobs[key]
            if job.center in external and not is_open:
                continue  # features are measured before the seal opens, and tell how many boxes a center has
            for row in epochs_of(store.attempts(key) / str(record["attempt"])):
                who = (
                    key,
                    job.kind,
                    job.name,
                    job.arm,
                    job.cell,
                    job.fold,
                    job.seed,
                    job.trial,
                    row.epoch,
                    row.time_ms,
                )
                for metric, value in row.metrics.items():
                    yield *who, metric, value
