"""The kit as a folder: what lies in it, that it can be made again, and that it is tied to its report."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from typer.testing import CliRunner

from infra.environment import versions
from orchestrator.cli import app
from orchestrator.intake import known, take_in
from orchestrator.paper.kit import MANIFEST, Request, kit_files, write_kit
from orchestrator.plan import make_plan
from orchestrator.reporting.report import report
from orchestrator.selection import Selection
from tests.evaluation.report_example import example, frame
from tests.orchestrator.paper.subjects import subject
from tests.orchestrator.places import make_workspace

ROOT = Path(__file__).resolve().parents[3]


def request_of(**facts: Any) -> Request:
    """A kit of the example's radiomics arm alone: few figures, so that a kit is made in little time."""
    cells = example().cells.filter(pl.col("arm") == "radiomics")
    frames = {name: only_radiomics(getattr(example().comparison, name)) for name in ("effects", "heterogeneity")}
    comparison = replace(example().comparison, **frames)
    return Request(
        subject(facts={"cells": cells, "comparison": comparison, **facts}),
        {"center_a": {"images": "aa11"}},
        "usual",
        "osteogrid paper studies/x.yaml",
    )


def only_radiomics(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.filter(pl.col("arm") == "radiomics")


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return kit_files(request_of())


@pytest.mark.slow
def test_a_kit_is_made_twice_with_the_same_bytes(files: dict[str, bytes]):
    assert kit_files(request_of()) == files


@pytest.mark.slow
def test_a_kit_holds_texts_tables_figures_and_checklists_and_its_readme_lists_them(files: dict[str, bytes]):
    page = files["README.md"].decode()

    for name in ("methods.md", "references.bib", "statement.md", "checklists/stard_ai.md", "figures/captions.md"):
        assert name in files
        assert name == "references.bib" or name in page
    for path in files:
        if path.startswith(("tables/table", "tables/supplement", "figures/figure")):
            assert path.rsplit(".", 1)[0] in page
    assert "osteogrid paper studies/x.yaml" in page


@pytest.mark.slow
def test_no_patient_no_quarantined_file_and_no_error_is_in_a_kit():
    quarantine = frame("quarantine", ("center_b", "not a radiograph", 2, "MUELLER_ANNA.dcm"))
    failures = frame("failures", ("9f" * 16, "cell", "fit", "cannot read MUELLER_ANNA.dcm", 0))

    made = kit_files(request_of(quarantine=quarantine, failures=failures))

    assert not [path for path, content in made.items() if b"MUELLER" in content]
    assert b"2 files were set aside" in made["methods.md"]


@pytest.mark.slow
def test_a_sealed_kit_has_no_external_result():
    made = kit_files(request_of(external_open=False, external_waiting="1 of 6"))

    assert not [path for path in made if "external" in path or "forest" in path]
    assert b"External centers not opened" in made["README.md"]
    assert b"external results, once the centers are opened" in made["checklists/claim_2024.md"]


@pytest.mark.slow
def test_the_manifest_names_every_file_and_table_and_takes_away_what_an_earlier_kit_left(tmp_path: Path):
    (tmp_path / "mine.txt").write_text("a note of an author")
    write_kit(tmp_path, request_of(), {"cohort.csv": b"center,role\n"})

    write_kit(tmp_path, request_of(external_open=False, external_waiting="1 of 6"), {"cohort.csv": b"center,role\n"})

    told = json.loads((tmp_path / MANIFEST).read_text())
    found = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert found == {*told["files"], MANIFEST, "mine.txt"}
    assert told["report_tables"] == {"cohort.csv": hashlib.sha256(b"center,role\n").hexdigest()}
    for name, sha256 in told["files"].items():
        assert hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() == sha256


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no TeX here")
def test_all_tables_compile(files: dict[str, bytes], tmp_path: Path):
    for path, content in files.items():
        if path.endswith(".tex"):
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_bytes(content)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "preview.tex"]

    ran = subprocess.run(command, cwd=tmp_path / "tables", capture_output=True, text=True, check=False)

    assert ran.returncode == 0, ran.stdout[-2000:]
    assert "Overfull \\hbox" not in ran.stdout


@pytest.mark.slow
def test_the_command_makes_a_kit_of_the_report_s_state_and_writes_an_old_report_again(tmp_path: Path):
    workspace = make_workspace(tmp_path)
    take_in(workspace, lambda _: None)
    report(make_plan(workspace, known(workspace), Selection()), {}, "osteogrid report", None)
    command = ["paper", str(tmp_path / "study.yaml"), "--store", str(tmp_path / "runs"), "--style", "narrow"]

    first = CliRunner().invoke(app, command)
    cohort = workspace.report / "tables" / "cohort.csv"
    cohort.write_text("of another state")
    second = CliRunner().invoke(app, command)

    kit = workspace.run_store.root / "paper"
    told = json.loads((kit / MANIFEST).read_text())
    assert (first.exit_code, second.exit_code) == (0, 0)
    assert told["style"] == "narrow"
    assert told["report_tables"]["cohort.csv"] == hashlib.sha256(cohort.read_bytes()).hexdigest()
    assert pl.read_csv(cohort).height
    assert "External centers not opened" in (kit / "methods.md").read_text()
    assert str(tmp_path) not in (kit / "README.md").read_text()


def test_an_unknown_style_is_refused_with_those_that_are_known(tmp_path: Path):
    ran = CliRunner().invoke(app, ["paper", str(tmp_path / "study.yaml"), "--style", "nature"])

    assert ran.exit_code != 0
    assert "--style nature: allowed is narrow, usual, wide" in str(ran.exception)


def test_the_citation_file_names_the_version_and_license_that_are_installed():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())

    assert cited["cff-version"] == "1.2.0"
    assert cited["version"] == versions()["osteogrid"]
    assert cited["license"] == "AGPL-3.0-or-later"
    assert {"message", "title", "authors", "type"} <= cited.keys()
