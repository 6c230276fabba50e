"""The report on disk: report.html and, beside it, tables/*.csv, or *.parquet where a CSV would be very large."""

from __future__ import annotations

import os
from collections.abc import Collection
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
    LARGEST_CSV. Tables hold no score of a single patient; the gallery shows those of its few radiographs.
    """
    tables = folder / "tables"
    tables.mkdir(parents=True, exist_ok=True)
    files = {name: _write(frame, tables, name) for name, frame in exported(context).items()}
    _remove_others(tables, files.values())
    page = folder / "report.html"
    _replace(page, render(context, files).encode())
    return page


def exported(context: ReportContext) -> dict[str, pl.DataFrame]:
    """The frame behind each table of the report, by the name of its file; all of the comparison but the scores."""
    compared = (one.name for one in fields(context.seen) if one.name != "scores")
    return {
        "cohort": context.cohort,
        "flow": context.flow,
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
        "changes": context.changes,
        **_of_readers(context),
    }


def _of_readers(context: ReportContext) -> dict[str, pl.DataFrame]:
    """What each reader changed and all together; nothing without a reader study."""
    names = ("areas", "changes", "groups", "operating_points", "overall", "differences", "means", "agreement")
    return {} if context.readers is None else {f"readers_{name}": getattr(context.readers, name) for name in names}


def as_file(frame: pl.DataFrame) -> tuple[str, bytes]:
    """How a table is written: csv or parquet, and the bytes of the file."""
    content = frame.write_csv().encode()
    return ("csv", content) if len(content) <= LARGEST_CSV else ("parquet", _parquet(frame))


def _write(frame: pl.DataFrame, tables: Path, name: str) -> str:
    """The file's name."""
    kind, content = as_file(frame)
    _replace(tables / f"{name}.{kind}", content)
    return f"{name}.{kind}"


def _remove_others(tables: Path, written: Collection[str]) -> None:
    """Tables of an earlier report that this one lacks, or writes as the other kind."""
    for path in tables.glob("*.*"):
        if path.suffix in {".csv", ".parquet"} and path.name not in written:
            path.unlink()


def _parquet(frame: pl.DataFrame) -> bytes:
    written = BytesIO()
    frame.write_parquet(written)
    return written.getvalue()


def _replace(path: Path, content: bytes) -> None:
    written = path.with_name(f".{path.name}.{os.getpid()}.part")
    written.write_bytes(content)
    written.replace(path)
