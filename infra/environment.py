"""Versions, commit, devices, and the switches that keep every library offline and quiet."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path

QUIET: dict[str, str] = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_TRAIN_ENABLE_V2_MIGRATION_WARNINGS": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SKIP_PIP_REQUIREMENTS_CHECK": "true",
    "DO_NOT_TRACK": "true",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "YOLO_OFFLINE": "1",
    "YOLO_AUTOINSTALL": "0",
    "YOLO_VERBOSE": "0",
    "ULTRALYTICS_SAFE_LOAD": "1",
    "ULTRALYTICS_API_KEY": "",
}
"""No telemetry and no implicit download, for this process and every one it starts."""

_REPORTED = (
    "ray",
    "torch",
    "torchvision",
    "timm",
    "ultralytics",
    "mlflow",
    "optuna",
    "scikit-learn",
    "pydicom",
    "mirp",
)
_CODE = ("trainables", "cohorts", "search_spaces", "infra", "evaluation")


def quiet_environment() -> None:
    """Set the switches, leaving what the user has set."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)


@functools.cache
def versions() -> dict[str, str]:
    """Versions of Python and of the libraries that shape results."""
    found = {name: importlib.metadata.version(name) for name in _REPORTED}
    return {"python": platform.python_version(), "osteogrid": importlib.metadata.version("osteogrid"), **found}


@functools.cache
def code_version() -> str:
    """12 hex digits over the source of everything that computes results: equal code, equal digits."""
    root = Path(__file__).resolve().parent.parent
    digest = hashlib.sha256()
    for package in _CODE:
        for path in sorted((root / package).rglob("*.py")):
            digest.update(path.relative_to(root).as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def commit() -> str:
    """The commit this code was checked out at, with a mark for local changes; empty outside a checkout."""
    root = Path(__file__).resolve().parent.parent
    command = ["git", "-C", str(root), "describe", "--always", "--dirty"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


def machine() -> str:
    """Processor count and system in a few words."""
    return f"{os.cpu_count()} CPUs, {platform.system()} {platform.machine()}"
