"""Imported once by each worker's fork server, so that jobs start with the heavy libraries in place."""

from __future__ import annotations

from trainables.quiet import silence

silence()

import timm  # noqa: E402, F401 - the point of this module
import torch  # noqa: E402, F401
import ultralytics  # noqa: E402, F401
