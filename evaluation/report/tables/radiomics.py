"""The radiomics baseline opened up: which features its ElasticNets agree on, and how each was chosen."""

from __future__ import annotations

import polars as pl

from evaluation.report.context import ReportContext
from evaluation.report.display import (
    Column,
    Entry,
    Facts,
    Group,
    Part,
    Table,
    filled,
    headings_of,
    lines,
    ordered,
    text,
)
from evaluation.report.names import cell_heading
from evaluation.report.numbers import bounds, count, fraction, plain, plural, scientific

MOST_FEATURES = 20
"""Features shown per cell, those selected most often; the CSV holds all of them."""


def coefficients(context: ReportContext) -> Table:
    """The features that replicates selected most often, with their coefficients; a group of rows per cell."""
    replicates = {cell: part.height for (cell,), part in context.elastic_nets.group_by("cell")}
    selected = context.coefficients.filter(pl.col("selected") > 0)
    parts = (
        Part(Column("Feature"), lambda row: text(row["feature"])),
        Part.number("Selected", lambda row: _of(row, replicates), "in so many replicates"),
        Part.number("Kept", lambda row: count(row["kept"]), title="passed the filter of constant and correlated ones"),
        Part.number("Coefficient", lambda row: _signed(row["mean"]), "mean"),
        Part.number("Range", lambda row: bounds(row["min"], row["max"]), "lowest to highest"),
    )
    groups = tuple(
        Group(
            _heading(context, cell, selected.filter(pl.col("cell") == cell).height),
            filled(selected.filter(pl.col("cell") == cell).head(MOST_FEATURES), parts),
        )
        for cell in ordered(selected["cell"], list(context.by_cell))
    )
    return Table(
        id="coefficients",
        caption="Selected features",
        columns=headings_of(parts),
        groups=groups,
        csv="coefficients",
        explanation=(
            "Coefficients are log-odds of the positive class per standard deviation of the feature among the training "
            "regions, over the replicates that selected it. Of features that are nearly alike the first is kept."
        ),
        empty="No radiomics replicate has selected a feature yet.",
    )


def elastic_nets(context: ReportContext) -> Table:
    """How each radiomics replicate was chosen by its inner cross-validation."""
    parts = (
        Part(Column("Replicate"), lambda row: f"fold {row['fold']}, seed {row['seed']}"),
        Part.number("C", lambda row: _at(row, "C"), title="inverse strength of the penalty"),
        Part.number("l1 ratio", lambda row: _at(row, "l1_ratio"), title="1: lasso, 0: ridge"),
        Part.number("Inner AUC", lambda row: fraction(row["inner_auc"]), "mean over inner folds"),
        Part.number("Validation AUC", lambda row: fraction(row["value"])),
        Part.number("Features", lambda row: count(row["selected"]), "selected"),
        Part.number("Training regions", _training),
        Part(Column("Converged"), lambda row: text(row["converged"])),
    )
    groups = tuple(
        Group(cell_heading(context, cell), filled(context.elastic_nets.filter(pl.col("cell") == cell), parts))
        for cell in ordered(context.elastic_nets["cell"], list(context.by_cell))
    )
    return Table(
        id="elastic-nets",
        caption="What each replicate chose",
        columns=headings_of(parts),
        groups=groups,
        csv="elastic_nets",
        explanation="Chosen by the AUC over inner folds of whole patients; filter and scaling are learned inside them.",
        empty="No radiomics replicate is published yet.",
    )


def _heading(context: ReportContext, cell: str, found: int) -> Entry:
    heading = cell_heading(context, cell)
    more = found - MOST_FEATURES
    details = (*heading.details, f"{more} more in the CSV") if more > 0 else heading.details
    return Entry(heading.text, details, heading.tags, heading.title)


def _of(row: Facts, replicates: dict[object, int]) -> str:
    return f"{count(row['selected'])}/{count(replicates.get(row['cell']))}"


def _signed(value: float) -> str:
    return f"{'+' if value > 0 else ''}{plain(value)}"


def _at(row: Facts, name: str) -> Entry:
    at_bound = bool(row[f"{name}_at_bound"])
    return Entry(scientific(row[name]), ("at its bound",) if at_bound else (), tone="caution" if at_bound else "")


def _training(row: Facts) -> Entry:
    lost = row["training_images_without_features"]
    without = f"{plural(lost, 'image')} without features" if lost else ""
    return Entry(count(row["training_regions"]), lines(f"{count(row['training_patients'])} patients", without))
