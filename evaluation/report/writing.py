"""The report on disk: report.html and, beside it, tables/*.csv, or *.parquet where a CSV would be very large."""

from __future__ import annotations

import os
from dataclasses import fields
from io import BytesIO
from typing import TYPE_CHECKING

from evaluation.report.page.html import render
from evaluation.report.tables.study import pairs_frame

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

    from evaluation.report.context import ReportContext


LARGEST_CSV = 10_000_000
"""Bytes; a frame whose CSV would be larger, such as the ROC curves of many cells, is written as Parquet instead."""


def write_report(context: ReportContext, folder: Path) -> Path:
    """Write report.html and tables/ into the folder, each file at once or not at all; returns report.html.

    Numbers are rounded in the report and in full in the tables: CSV, or Parquet where that would be larger than
    LARGEST_CSV. Scores of single patients are in neither.
    """
    tables = folder / "tables"
    tables.mkdir(parents=True, exist_ok=True)
    files = {name: _write(frame, tables, name) for name, frame in exported(context).items()}
    page = folder / "report.html"
    _replace(page, render(context, files).encode())
    return page


def exported(context: ReportContext) -> dict[str, pl.DataFrame]:
    """The frame behind each table of the report, by the name of its file; all of the comparison but the scores."""
    compared = (one.name for one in fields(context.seen) if one.name != "scores")
    return {
        "cohort": context.cohort,
        "quarantine": context.quarantine,
        "leakage": context.leakage,
        "cells": context.cells,
        **{name: getattr(context.seen, name) for name in compared},
        "run_times": context.run_times,
        "certificates": context.certificates,
        "findings": context.findings,
        "tuning": context.tuning,
        "trials": context.trials,
        "elastic_nets": context.elastic_nets,
        "coefficients": context.coefficients,
        "left_out": context.left_out,
        "failures": context.failures,
        "environment": pairs_frame(context.environment),
        "lock": pairs_frame(context.lock),
    }


def _write(frame: pl.DataFrame, tables: Path, name: str) -> str:
    """The file's name; one of the other kind from an earlier report is removed."""
    content, kind, other = frame.write_csv().encode(), "csv", "parquet"
    if len(content) > LARGEST_CSV:
        content, kind, other = _parquet(frame), "parquet", "csv"
    _replace(tables / f"{name}.{kind}", content)
    (tables / f"{name}.{other}").unlink(missing_ok=True)
    return f"{name}.{kind}"


def _parquet(frame: pl.DataFrame) -> bytes:
    written = BytesIO()
    frame.write_parquet(written)
    return written.getvalue()


def _replace(path: Path, content: bytes) -> None:
    written = path.with_name(f".{path.name}.{os.getpid()}.part")
    written.write_bytes(content)
    written.replace(path)
