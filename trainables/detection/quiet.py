"""Ultralytics without network, telemetry, trackers, prompts or files in the working directory."""

from __future__ import annotations

import os
import sys
import tempfile
from functools import cache
from pathlib import Path

_SWITCHES = {
    "YOLO_OFFLINE": "1",
    "YOLO_AUTOINSTALL": "0",
    "YOLO_VERBOSE": "0",
    "ULTRALYTICS_SAFE_LOAD": "1",
    "ULTRALYTICS_API_KEY": "",
}
_SETTINGS = ("sync", "mlflow", "raytune", "clearml", "comet", "dvc", "tensorboard", "wandb")


@cache
def import_ultralytics() -> None:
    """Import Ultralytics once per process, switched quiet before; a process that preloads it must call this too.

    RuntimeError if somebody imported it before, because its switches are read while it is imported.
    """
    if "ultralytics" in sys.modules:
        raise RuntimeError("ultralytics was imported before it was switched offline; call import_ultralytics first")
    os.environ.update(_SWITCHES, YOLO_CONFIG_DIR=str(_settings_folder()))
    threads_were_set = "OMP_NUM_THREADS" in os.environ

    from ultralytics.utils import SETTINGS

    if not threads_were_set:
        # Ultralytics writes 1 here for its own sake; child processes and other libraries shall not inherit it.
        os.environ.pop("OMP_NUM_THREADS", None)
    # In memory only: its own update would write the file that jobs beside this one are reading.
    dict.update(SETTINGS, dict.fromkeys(_SETTINGS, False))


def _settings_folder() -> Path:
    """The user's folder for Ultralytics' settings."""
    root = Path(tempfile.gettempdir()) / f"osteogrid-ultralytics-{os.getuid()}"
    root.mkdir(exist_ok=True)
    if root.stat().st_uid != os.getuid():
        raise RuntimeError(f"{root} belongs to another user; remove it, or set TMPDIR to a folder of your own")
    os.environ.setdefault("MPLCONFIGDIR", str(root / "matplotlib"))  # otherwise it makes folders in the user's home
    return root
