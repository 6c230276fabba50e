"""The same numbers to the last bit, whatever the number of cores."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow  # starts processes: polars takes its number of threads when it is imported
STUDY = """
import numpy as np
import polars as pl
from evaluation.comparison.comparing import SCHEMAS
from search_spaces.study import Analysis
from tests.evaluation.study_example import CHEST, IMAGENET, SCRATCH, compared, labels, logit_series, predictions

random, truth = np.random.default_rng(3), {center: [0, 1] * 250 for center in "abc"}
roles = {"a": "reserve", "b": "external", "c": "external"}
rows = []
for cell in (IMAGENET, CHEST, SCRATCH):
    for center, of_center in truth.items():
        scores = random.normal(size=500) + of_center
        for variant in ("original", "s1", "s2", "z"):
            moved = scores + (variant != "original") * random.normal(size=500) / 3
            rows += logit_series(cell, center, moved.tolist(), role=roles[center], variant=variant)
plan = Analysis.model_validate({"primary": {"effects": ["payoff"]}, "bootstrap": {"draws": 100}})
found = compared(predictions(*rows), labels(truth), plan=plan)
print(pl.thread_pool_size())
for name in SCHEMAS:
    print(name, getattr(found, name).write_csv())
"""


def test_a_comparison_says_the_same_on_one_core_and_on_many():
    (one, *first), (many, *second) = (computed(threads) for threads in (1, 6))

    assert (one, many) == ("1", "6")
    assert len(first) > 1000
    assert first == second


def computed(threads: int) -> list[str]:
    """Number of threads, then every frame."""
    environment = os.environ | {"POLARS_MAX_THREADS": str(threads)}
    ran = subprocess.run([sys.executable, "-c", STUDY], env=environment, capture_output=True, text=True, check=True)
    return ran.stdout.splitlines()
