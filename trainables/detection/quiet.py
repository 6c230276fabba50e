"""Ultralytics without network, telemetry, trackers, prompts or files in the working directory."""

from __future__ import annotations

import atexit
import os
import shutil
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

    Its settings live in a private temporary folder that goes with the process. RuntimeError if somebody
    imported it before, because its switches are read while it is imported.
    """
    if "ultralytics" in sys.modules:
        raise RuntimeError("ultralytics was imported before it was switched offline; call import_ultralytics first")
    os.environ.update(_SWITCHES, YOLO_CONFIG_DIR=str(_settings_folder()))
    threads_were_set = "OMP_NUM_THREADS" in os.environ

    from ultralytics.utils import SETTINGS

    if not threads_were_set:
        # Ultralytics writes 1 here for its own sake; child processes and other libraries shall not inherit it.
        os.environ.pop("OMP_NUM_THREADS", None)
    SETTINGS.update(dict.fromkeys(_SETTINGS, False))


def _settings_folder() -> Path:
    """A fresh folder with the font that Ultralytics would otherwise download."""
    import matplotlib

    root = Path(tempfile.mkdtemp(prefix="osteogrid-ultralytics-"))
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    font = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    (root / "Ultralytics").mkdir()
    shutil.copyfile(font, root / "Ultralytics" / "Arial.ttf")
    return root
