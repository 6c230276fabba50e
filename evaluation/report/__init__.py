"""The report: one HTML file that opens without a network, and its tables as CSV beside it."""

from __future__ import annotations

from evaluation.report.context import ReportContext
from evaluation.report.writing import write_report

__all__ = ["ReportContext", "write_report"]
