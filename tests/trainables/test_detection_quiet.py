from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

PROGRAM = """
import os, sys
from pathlib import Path

allowed = [str(Path(folder).resolve()) for folder in ("out", os.environ["TMPDIR"])]
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

def guard(event, arguments):
    if event.startswith("socket.") and event != "socket.__new__":
        refuse(event, arguments)
    if event == "open" and (set(str(arguments[1])) & set("wax+") or (arguments[2] or 0) & WRITING):
        check(event, arguments[0])
    if event in {"os.mkdir", "os.symlink", "os.rename", "os.link", "shutil.copyfile"}:
        check(event, arguments[0 if event == "os.mkdir" else 1])

def check(event, path):
    if isinstance(path, (str, bytes, os.PathLike)) and os.fsdecode(path) != os.devnull:
        if not any(os.path.realpath(os.fsdecode(path)).startswith(folder) for folder in allowed):
            refuse(event, path)

def refuse(event, what):
    os.write(2, f"refused: {event} {what}".encode())
    os._exit(3)

from tests.trainables.detection_jobs import data, fit_job, predict_job
from tests.trainables.fakes import FakeRun
from trainables.detection import DetectionTask

films = data(12)
sys.addaudithook(guard)
fit = FakeRun(Path("out/fit"))
DetectionTask().fit(fit_job(), films, fit)
DetectionTask().predict(predict_job(), films, FakeRun(Path("out/predict"), needs={"fit-key": fit.folder}))
loggers = {"mlflow", "ray", "wandb", "comet_ml", "clearml", "dvclive", "tensorboard"} & set(sys.modules)
assert not loggers, loggers
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working directory in which a detector was trained and predicted with, in a process of its own."""
    folder = tmp_path_factory.mktemp("quiet")
    for name in ("home", "temporary"):
        (folder / name).mkdir()
    root = Path(__file__).resolve().parents[2]
    environment = {
        **{name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ},
        "HOME": str(folder / "home"),
        "TMPDIR": str(folder / "temporary"),
        "PYTHONPATH": str(root),
        "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_NUM_THREADS": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "")
    return folder


def test_training_opens_no_connection_says_nothing_and_writes_only_into_its_own_folder(trained):
    assert [path.name for path in trained.iterdir() if path.name not in {"home", "temporary"}] == ["out"]
    assert list((trained / "home").iterdir()) == []


def test_no_film_is_copied_for_a_job_and_no_pickle_is_left(trained):
    left = {path.suffix for path in (trained / "out").rglob("*") if path.is_file()}

    assert left <= {".json", ".safetensors", ".parquet", ".yaml"}
