"""osteogrid weights list, add, check: what is known, brought in, and there."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.numpy import save_file
from typer.testing import CliRunner, Result

from infra.store import file_sha256, to_json
from orchestrator.intake import known
from orchestrator.plan import Plan, make_plan
from orchestrator.selection import Selection
from orchestrator.weights.adding import Added, Words, add
from orchestrator.weights.checking import check_record
from orchestrator.weights.commands import described, weights_app
from orchestrator.weights.preflight import check_weights
from orchestrator.workspace import Workspace
from search_spaces.errors import StudyError
from search_spaces.pretraining import SOURCES, describe, normalization, weights_file
from search_spaces.study import StudySpec, load_study
from search_spaces.weights_record import read_record, record_path
from tests.orchestrator.places import STUDY
from tests.trainables.weights.files import network

GRID = {"backbone": ["test_resnet"], "pretraining": ["none", "ours", "gray"], "init": ["scratch", "transfer"]}


def osteogrid_weights(*words: str | Path) -> Result:
    return CliRunner().invoke(weights_app, [str(word) for word in words])


def said(result: Result) -> str:
    """All output, or the sentence that main() would print."""
    return result.output + str(result.exception or "")


def study_file(folder: Path, **changes: Any) -> Path:
    arm = {**STUDY["arms"][0], "grid": GRID}
    sources = {"gray": {"files": "ours", "normalization": "per_image"}}
    body = {**STUDY, "arms": [arm], "weights": str(folder / "weights"), "sources": sources, **changes}
    body["cohort"] = {**STUDY["cohort"], "data": str(folder / "data")}
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(body))
    return path


def placed(folder: Path, source: str = "ours", backbone: str = "test_resnet", **changes: Any) -> Path:
    """A weights file with the record that `add` would have written."""
    path = folder / "weights" / source / f"{backbone}.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({}, path)
    record = {
        "source": source,
        "backbone": backbone,
        "task": "classification",
        "sha256": file_sha256(path),
        "origin": "published.pth",
        "origin_sha256": "0" * 64,
        "layout": "timm",
        "tensors": 0,
        "license": "CC BY 4.0",
        "added": "2026-11-22T00:00:00+00:00",
    }
    record_path(path).write_bytes(to_json({**record, **changes}))
    return path


def test_the_command_line_answers_without_importing_torch() -> None:
    code = "import sys, orchestrator.cli; print(sorted({'torch', 'timm', 'ultralytics', 'ray'} & set(sys.modules)))"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_list_says_of_every_source_what_a_reader_must_know(tmp_path: Path) -> None:
    output = osteogrid_weights("list", "--weights", tmp_path).output

    for source in SOURCES.values():
        for words in (source.modality, source.anatomy, source.license, source.where, source.note):
            assert words in output
    assert "published as    RadImageNet's PyTorch files ResNet50.pt, InceptionV3.pt, DenseNet121.pt" in output
    assert "there           nothing; osteogrid weights add FILE --as radimagenet" in output


def test_list_shows_what_is_there_and_what_its_record_says(tmp_path: Path) -> None:
    path = placed(tmp_path, commercial_use="no", normalization={"mean": [0.25], "std": [0.5]})

    output = osteogrid_weights("list", "--weights", tmp_path / "weights").output

    assert "license         CC BY 4.0; commercial use: no" in output
    assert "normalization   mean 0.25, std 0.5" in output
    assert f"there           {path} (added 2026-11-22 from published.pth)" in output


def test_list_of_a_study_shows_the_sources_it_declares_with_the_files_they_share(tmp_path: Path) -> None:
    path = placed(tmp_path)

    output = osteogrid_weights("list", "--study", study_file(tmp_path)).output

    paragraph = output.split("\ngray: ")[1]
    assert "normalization   each image by itself" in paragraph.split("none: no weights")[0]
    assert str(path) in paragraph


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("absent.pth", "--as", "ours"), "there is no such file"),
        (("FILE", "--as", "none"), "means no pretraining"),
        (("FILE", "--as", "../elsewhere"), "a source is named with letters"),
        (("FILE", "--as", "radimagenet", "--backbone", "resnet18"), "radimagenet has weights for resnet50, inception"),
        (("FILE", "--as", "imagenet", "--backbone", "yolov5n"), "imagenet has weights for those of timm"),
        (("FILE", "--as", "ours", "--backbone", "resnet5O"), "no backbone is called so. Did you mean 'resnet50'?"),
        (("FILE", "--as", "ours", "--commercial-use", "maybe"), "allowed are yes, no, unknown"),
        (("FILE", "--as", "ours", "--mean", "0.5"), "give both, each one number or three"),
        (("FILE", "--as", "ours", "--mean", "0.5", "--std", "0"), "std above 0"),
        (("FILE", "--as", "gray", "--study", "STUDY"), "it stands for the files of 'ours'; add the file --as ours"),
        (("FILE", "--as", "ours", "--study", "STUDY", "--weights", "w"), "leave --weights out"),
        (("HASHED", "--as", "ours"), "its name promises a sha256 that starts with 0676ba61, it is e3b0c442…"),
    ],
)
def test_add_refuses_what_cannot_be_meant_before_it_reads_the_file(
    tmp_path: Path, words: tuple[str, ...], reason: str
) -> None:
    (tmp_path / "w.pth").touch()
    (tmp_path / "resnet50-0676ba61.pth").touch()
    places = {"FILE": tmp_path / "w.pth", "HASHED": tmp_path / "resnet50-0676ba61.pth", "STUDY": study_file(tmp_path)}

    result = osteogrid_weights("add", *(places.get(word, word) for word in words))

    assert isinstance(result.exception, StudyError)
    assert reason in said(result)


def test_a_file_that_is_there_is_not_overwritten_unasked(tmp_path: Path) -> None:
    there = placed(tmp_path)
    before = there.read_bytes()
    (tmp_path / "w.pth").touch()

    with pytest.raises(StudyError, match="is there already; --replace puts the new file in its place"):
        add(tmp_path / "w.pth", "ours", tmp_path / "weights", Words(), backbone="test_resnet")

    assert there.read_bytes() == before


def test_a_file_that_is_not_the_recorded_one_is_refused(tmp_path: Path) -> None:
    path = placed(tmp_path)
    check_record(path)

    path.write_bytes(path.read_bytes() + b" ")

    with pytest.raises(StudyError, match=r"its sha256 is .*, its record says .*weights add FILE --as ours --replace"):
        check_record(path)


def test_check_names_files_of_no_backbone_and_files_that_were_changed(tmp_path: Path) -> None:
    changed, unknown = placed(tmp_path, sha256="0" * 64), placed(tmp_path, backbone="resnet51")

    result = osteogrid_weights("check", "--weights", tmp_path / "weights")

    assert result.exit_code == 1
    assert f"{changed}: its sha256 is" in result.output
    assert f"{unknown}: no backbone is called 'resnet51'" in result.output


def test_check_says_which_cells_of_a_study_are_ready_and_which_wait_for_which_file(tmp_path: Path) -> None:
    grid = {**GRID, "pretraining": ["none", "ours", "gray", "imagenet"], "init": ["scratch", "transfer", "frozen"]}
    study = study_file(tmp_path, arms=[{**STUDY["arms"][0], "grid": grid}])
    placed(tmp_path, sha256="0" * 64)

    lines = osteogrid_weights("check", "--study", study).output.splitlines()

    assert [line for line in lines if line.startswith("ready")] == [
        f"ready    classification/test_resnet-{source}-{init}"
        for source in ("ours", "gray")
        for init in ("transfer", "frozen")
    ]
    (waiting,) = [line for line in lines if line.startswith("waiting")]
    assert waiting.startswith(
        "waiting  classification/test_resnet-imagenet-transfer, classification/test_resnet-imagenet-frozen: "
    )
    assert "imagenet/test_resnet.safetensors: the imagenet weights for test_resnet are missing" in waiting


def planned(folder: Path, study: StudySpec) -> Plan:
    workspace = Workspace(folder / "runs", study)
    return make_plan(workspace, known(workspace), Selection())


@pytest.mark.slow
def test_an_added_file_starts_the_cells_of_a_study_until_somebody_exchanges_it(tmp_path: Path) -> None:
    torch.save({"state_dict": network(num_classes=3).state_dict()}, tmp_path / "published.pth")
    path = study_file(tmp_path)
    words = ("--license", "CC BY 4.0", "--commercial-use", "no", "--anatomy", "knee", "--mean", "0.5", "--std", "0.25")

    result = osteogrid_weights("add", tmp_path / "published.pth", "--as", "ours", "--study", path, *words)

    study = load_study(path)
    added = weights_file(study, "ours", "test_resnet")
    assert added == tmp_path / "weights" / "ours" / "test_resnet.safetensors", said(result)
    record = read_record(added)
    assert record is not None
    assert (record.sha256, record.origin) == (file_sha256(added), "published.pth")
    assert record.origin_sha256 == file_sha256(tmp_path / "published.pth")
    assert (record.task, record.backbone, record.layout) == ("classification", "test_resnet", "timm")
    assert set(record.dropped) == {"fc.weight", "fc.bias"}
    assert (describe(study, "ours").license, describe(study, "ours").commercial_use) == ("CC BY 4.0", "no")
    assert normalization(study, "ours", "test_resnet") == {"mean": (0.5,), "std": (0.25,)}
    assert normalization(study, "gray", "test_resnet") is None
    assert result.output.count("(now)") == 2
    assert sorted(each.name for each in (tmp_path / "weights").rglob("*")) == [
        "ours",
        "test_resnet.json",
        "test_resnet.safetensors",
    ]

    check_weights(planned(tmp_path, study))

    shutil.copy(tmp_path / "study.yaml", added)
    with pytest.raises(StudyError, match=r"test_resnet\.safetensors: its sha256 is"):
        check_weights(planned(tmp_path, study))


def test_an_unknown_license_is_said_plainly(tmp_path: Path) -> None:
    path = placed(tmp_path, license="unknown")
    record = read_record(path)
    assert record is not None

    assert described(Added(path, record, 1.0))[-1] == (
        "license: unknown (say it with --license); commercial use: unknown"
    )
