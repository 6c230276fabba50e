"""Imported once by each worker's fork server, so that jobs start with the heavy libraries in place."""

from __future__ import annotations

from infra.environment import quiet_environment
from trainables.detection.quiet import import_ultralytics

quiet_environment()
import_ultralytics()

import captum.attr  # noqa: E402, F401 - imported for its side effect: it is then there in every child
import polars  # noqa: E402, F401
import scipy.stats  # noqa: E402, F401
import timm  # noqa: E402, F401
import torch  # noqa: E402, F401
import ultralytics  # noqa: E402, F401

import evaluation.tables  # noqa: E402, F401
import trainables.loading  # noqa: E402, F401
