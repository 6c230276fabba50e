"""Single replicates beside the aggregate: their mean AUC, its spread, and whether any is lacking."""

from __future__ import annotations

import polars as pl

from evaluation.comparison.panels import POOLED, STRATIFIED

_GROUP = ("cell", "role", "center")


def single_replicates(replicates: pl.DataFrame) -> pl.DataFrame:
    """Mean and standard deviation of the AUC over replicates, their number, and whether all scored the same images.

    `single_sd_folds` is the standard deviation of the folds' means, `single_sd_seeds` that of seeds within a fold.

    In the validation role a replicate's AUC is over its own fold, so `even` asks that every fold has all its seeds.
    """
    pooled = replicates.with_columns(center=pl.lit(POOLED))
    both = pl.concat([replicates.select(pooled.columns), pooled])
    by_center = _auc_per_replicate(both)
    weight = pl.col("positives") * pl.col("negatives")
    stratified = (
        by_center.filter(pl.col("role") == "external", pl.col("center") != POOLED)
        .group_by("cell", "role", "fold", "seed", maintain_order=True)  # sums in one order: the same bits each time
        .agg((pl.col("auc") * weight).sum() / weight.filter(pl.col("auc").is_not_null()).sum())
        .with_columns(center=pl.lit(STRATIFIED))
    )
    aucs = pl.concat([by_center.select(stratified.columns), stratified])
    summary = aucs.group_by(_GROUP, maintain_order=True).agg(
        pl.col("auc").mean().alias("single_mean"),
        pl.col("auc").std().alias("single_sd"),
        pl.len().alias("replicates"),
    )
    folds = aucs.group_by(*_GROUP, "fold", maintain_order=True).agg(
        pl.col("auc").mean(), pl.col("auc").var().alias("within")
    )
    spread = folds.group_by(_GROUP, maintain_order=True).agg(
        pl.col("auc").std().alias("single_sd_folds"), pl.col("within").mean().sqrt().alias("single_sd_seeds")
    )
    return summary.join(spread, on=_GROUP).join(_even(both), on=_GROUP)


def _auc_per_replicate(scores: pl.DataFrame) -> pl.DataFrame:
    """AUC from the rank sum of the positives (Mann & Whitney 1947); null where a class is absent."""
    replicate = [*_GROUP, "fold", "seed"]
    positives, negatives = pl.col("label").sum(), (1 - pl.col("label")).sum()
    ranks = (pl.col("rank") * pl.col("label")).sum() - positives * (positives + 1) / 2
    return (
        scores.with_columns(rank=pl.coalesce("logit", "score").rank("average").over(replicate))
        .group_by(replicate)
        .agg(positives.alias("positives"), negatives.alias("negatives"), ranks.alias("wins"))
        .with_columns(both=pl.col("positives") * pl.col("negatives"))
        .with_columns(auc=pl.when(pl.col("both") > 0).then(pl.col("wins") / pl.col("both")))
        .sort(replicate)
    )


def _even(scores: pl.DataFrame) -> pl.DataFrame:
    per_image = scores.group_by("cell", "role", "center", "image").len()
    even = per_image.group_by(_GROUP).agg((pl.col("len").n_unique() == 1).alias("even"))
    pooled = even.filter(pl.col("role") == "external", pl.col("center") == POOLED)
    return pl.concat([even, pooled.with_columns(center=pl.lit(STRATIFIED))])
