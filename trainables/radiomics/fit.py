"""The fit job: features and labels of the training patients become one ElasticNet model."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from sklearn.metrics import roc_auc_score

from search_spaces.errors import StudyError
from trainables.radiomics.elasticnet import Training, search
from trainables.radiomics.features import feature_names, read_features
from trainables.radiomics.model import ElasticNetModel

if TYPE_CHECKING:
    from sklearn.model_selection import GridSearchCV

    from trainables.data import JobData
    from trainables.task import Job, Run


def fit(job: Job, data: JobData, run: Run) -> None:
    """Choose and fit on the role `train`, then score the role `validation` once; leaves model.json."""
    table = read_features([run.need(key) for key in job["needs"]["features"]], data.images["center"].unique())
    names = feature_names(table)
    regions = _labeled(table, data.images)
    training = _training(regions.filter(pl.col("role") == "train"), names)
    found = search(training, seed=random_state(job), hyperparameters=job["hyperparameters"])
    model = ElasticNetModel.of(found.best_estimator_, names)
    auc = validation_auc(model, regions.filter(pl.col("role") == "validation"), fold=job["fold"])
    _publish(model, found, run)
    run.set_result({"value": auc, "epoch": 1, **_choice(found)})
    run.set_result(_counts(data, regions, training))
    run.report(1, {"validation/auc": auc, "inner/auc": float(found.best_score_)})


def random_state(job: Job) -> int:
    """A 32-bit seed from the job's seed and fold; the same job shuffles the same way everywhere."""
    digest = hashlib.sha256(f"{job['seed']}/{job['fold']}".encode()).digest()
    return int.from_bytes(digest[:4], "big")


def validation_auc(model: ElasticNetModel, regions: pl.DataFrame, *, fold: int) -> float:
    """AUC over images; the score of an image is the highest of its regions."""
    logits = model.logits(regions.select(model.features).to_numpy())
    images = regions.select("image", "label").with_columns(logit=logits).group_by("image", maintain_order=True).max()
    if images["label"].n_unique() < 2:
        raise StudyError(
            f"Radiomics: the validation part of fold {fold} has {images.height} images with features and "
            f"{images['label'].n_unique()} of the 2 classes, an AUC needs both; use fewer folds or a larger part."
        )
    return float(roc_auc_score(images["label"].to_numpy(), images["logit"].to_numpy()))


def _labeled(table: pl.DataFrame, images: pl.DataFrame) -> pl.DataFrame:
    """Unperturbed regions with role, label and patient of their image, as this job is told them."""
    known = images.select("image", "patient", "role", "label")
    original = table.filter(pl.col("variant") == "original").drop("patient")
    return original.join(known, on="image", maintain_order="left")


def _training(regions: pl.DataFrame, names: list[str]) -> Training:
    return Training(
        features=regions.select(names).to_numpy().astype(np.float64),
        labels=regions["label"].to_numpy().astype(np.int64),
        patients=regions["patient"].to_numpy().astype(np.str_),
    )


def _publish(model: ElasticNetModel, found: GridSearchCV, run: Run) -> None:
    model.write(run.folder)
    run.write_table("coefficients", model.table())
    run.certify(_certificate(model, found))


def _choice(found: GridSearchCV) -> dict[str, Any]:
    """The chosen hyperparameters; `C_at_bound` says that a wider grid might do better."""
    chosen = {name.removeprefix("model__"): value for name, value in found.best_params_.items()}
    at_bound = {
        f"{name}_at_bound": _at_bound(value, found.param_grid[f"model__{name}"]) for name, value in chosen.items()
    }
    return {**chosen, **at_bound, "inner_auc": float(found.best_score_)}


def _at_bound(value: float, searched: list[float]) -> bool:
    return len(searched) > 1 and value in (min(searched), max(searched))


def _certificate(model: ElasticNetModel, found: GridSearchCV) -> dict[str, Any]:
    live = found.best_estimator_["model"]
    return {
        "init": "scratch",
        "tensors_loaded": 0,
        "optimizer": live.solver,
        "class_weight": live.class_weight,
        "converged": bool(live.n_iter_[0] < live.max_iter),
        "candidates": len(found.cv_results_["params"]),
        "inner_folds": int(found.n_splits_),
        "parameters_trainable": int(live.coef_.size + live.intercept_.size),
        "parameters_frozen": 0,
        "nonzero_coefficients": int(np.count_nonzero(live.coef_)),
        "fingerprint": model.fingerprint(),
    }


def _counts(data: JobData, regions: pl.DataFrame, training: Training) -> dict[str, Any]:
    """How many training regions there were, and training images lost because no region could be measured."""
    wanted = data.images.filter(pl.col("role") == "train")["image"]
    measured = regions.filter(pl.col("role") == "train")["image"]
    return {
        "training_regions": len(training.labels),
        "training_patients": len(set(training.patients)),
        "training_images_without_features": len(set(wanted) - set(measured)),
    }
