"""The report on disk: report.html and, beside it, tables/*.csv."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from evaluation.report.html import render
from evaluation.report.tables import pairs_frame

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

    from evaluation.report.context import ReportContext


def write_report(context: ReportContext, folder: Path) -> Path:
    """Write report.html and tables/*.csv into the folder, each file at once or not at all; returns report.html.

    Numbers are rounded in the report and in full in the CSV files. Scores of single patients are in neither.
    """
    tables = folder / "tables"
    tables.mkdir(parents=True, exist_ok=True)
    for name, frame in exported(context).items():
        _replace(tables / f"{name}.csv", frame.write_csv())
    page = folder / "report.html"
    _replace(page, render(context))
    return page


def exported(context: ReportContext) -> dict[str, pl.DataFrame]:
    """The frame behind each table of the report, by the name of its CSV."""
    return {
        "cohort": context.cohort,
        "quarantine": context.quarantine,
        "leakage": context.leakage,
        "cells": context.cells,
        "performance": context.performance,
        "contrasts": context.contrasts,
        "operating_points": context.operating_points,
        "roc": context.roc,
        "run_times": context.run_times,
        "certificates": context.certificates,
        "left_out": context.left_out,
        "failures": context.failures,
        "environment": pairs_frame(context.environment),
        "lock": pairs_frame(context.lock),
    }


def _replace(path: Path, text: str) -> None:
    written = path.with_name(f".{path.name}.{os.getpid()}.part")
    written.write_text(text, encoding="utf-8", newline="")
    written.replace(path)
