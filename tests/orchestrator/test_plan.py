from __future__ import annotations

import json

import polars as pl
import pytest

from infra.environment import code_version
from orchestrator.intake import known, take_in
from orchestrator.lock import read_lock, write_lock, write_opened
from orchestrator.plan import make_plan
from orchestrator.resources import Capacity
from orchestrator.schedule import State
from orchestrator.selection import Selection, parse_selection
from orchestrator.weights.preflight import check_weights
from search_spaces.errors import StudyError
from tests.orchestrator.places import make_workspace, write_center

ALL = Selection()


def quiet(_: str) -> None:
    """Nobody listens."""


def planned(workspace, selection=ALL, **options):
    return make_plan(workspace, known(workspace), selection, **options)


def publish(workspace, job, **result):
    store = workspace.run_store
    store.publish(job.key, store.start_attempt(job.to_dict(), {}), {"result": result})


def test_before_ingestion_the_plan_already_counts_every_job(tmp_path):
    workspace = make_workspace(tmp_path)

    before = planned(workspace)
    take_in(workspace, quiet)

    assert sorted(before.not_ingested) == ["a", "b", "chest"]
    assert planned(workspace).not_ingested == []
    assert len(before.jobs) == len(planned(workspace).jobs) == 1 + 2 + 4 + 8


def test_jobs_that_are_published_are_not_wanted_again(tmp_path):
    workspace = make_workspace(tmp_path)
    take_in(workspace, quiet)
    plan = planned(workspace)
    publish(workspace, next(job for job in plan.jobs.values() if job.kind == "pretrain"))

    schedule = planned(workspace).schedule(Capacity(2), None)

    assert schedule.count(State.FINISHED) == 1
    assert schedule.next().kind == "tune"


def test_a_deterministic_failure_is_not_tried_again_until_the_code_changes_or_retry_is_asked(tmp_path):
    workspace = make_workspace(tmp_path)
    take_in(workspace, quiet)
    job = next(job for job in planned(workspace).jobs.values() if job.kind == "pretrain")
    record = {"error": "bad", "deterministic": True, "code": code_version()}

    workspace.run_store.record_failure(job.key, record)
    assert list(planned(workspace).failed) == [job.key]
    assert planned(workspace, retry_failed=True).failed == {}

    workspace.run_store.record_failure(job.key, {**record, "code": "older"})
    assert planned(workspace).failed == {}
    workspace.run_store.record_failure(job.key, {**record, "deterministic": False})
    assert planned(workspace).failed == {}


def test_the_seal_opens_only_when_every_locked_replicate_is_settled(tmp_path):
    workspace = make_workspace(tmp_path)
    cohort = take_in(workspace, quiet)
    plan = planned(workspace)
    write_lock(workspace, plan.expansion.cells, plan.jobs.values(), cohort.fingerprints)
    fits = [job for job in plan.jobs.values() if job.kind == "fit"]

    for job in fits[:-1]:
        publish(workspace, job)
    assert not planned(workspace).external_open
    publish(workspace, fits[-1])

    assert planned(workspace).external_open


def test_a_selection_changes_neither_the_keys_nor_the_seal(tmp_path):
    workspace = make_workspace(tmp_path)
    cohort = take_in(workspace, quiet)
    plan = planned(workspace)
    lock = write_lock(workspace, plan.expansion.cells, plan.jobs.values(), cohort.fingerprints)

    part = planned(workspace, parse_selection(workspace.study, "pretraining=none", ""))

    assert set(part.jobs) == set(plan.jobs)
    assert {job.pretraining for job in part.selected.values()} == {"none"}
    assert not part.schedule(Capacity(2), lock).seal_is_open


def test_the_lock_is_written_once_and_later_cells_are_exploratory(tmp_path):
    workspace = make_workspace(tmp_path)
    cohort = take_in(workspace, quiet)
    plan = planned(workspace)
    first = write_lock(workspace, plan.expansion.cells[:1], plan.jobs.values(), cohort.fingerprints)

    write_lock(workspace, plan.expansion.cells, plan.jobs.values(), cohort.fingerprints)

    lock = read_lock(workspace)
    assert lock == first
    late = plan.expansion.cells[1].id
    assert lock.exploratory(plan.jobs.values()) == {late}


def test_a_label_rule_that_is_turned_around_after_the_lock_makes_every_cell_exploratory(tmp_path):
    workspace = make_workspace(tmp_path)
    cohort = take_in(workspace, quiet)
    plan = planned(workspace)
    write_lock(workspace, plan.expansion.cells, plan.jobs.values(), cohort.fingerprints)
    arm = workspace.study.arms[0].model_dump(mode="json")
    turned = make_workspace(tmp_path, arms=[{**arm, "labels": {"positive": ["benign"], "negative": ["malignant"]}}])

    lock = read_lock(turned)

    assert lock.exploratory(planned(turned).jobs.values()) == {cell.id for cell in plan.expansion.cells}


def test_a_cell_that_was_absent_when_the_centers_were_opened_is_exploratory(tmp_path):
    workspace = make_workspace(tmp_path)
    cohort = take_in(workspace, quiet)
    plan = planned(workspace)
    write_lock(workspace, plan.expansion.cells, plan.jobs.values(), cohort.fingerprints)
    first, second = (cell.id for cell in plan.expansion.cells)

    write_opened(workspace, [first])

    assert read_lock(workspace).exploratory(plan.jobs.values()) == {second}


def test_a_study_of_which_no_locked_replicate_is_left_stays_sealed(tmp_path):
    workspace = make_workspace(tmp_path)
    cohort = take_in(workspace, quiet)
    plan = planned(workspace)
    write_lock(workspace, plan.expansion.cells, plan.jobs.values(), cohort.fingerprints)
    arm = workspace.study.arms[0].model_dump(mode="json")
    renamed = make_workspace(tmp_path, arms=[{**arm, "name": "renamed"}])

    assert not planned(renamed).external_open


def test_the_same_recipe_under_two_names_is_refused(tmp_path):
    arm = make_workspace(tmp_path).study.arms[0].model_dump(mode="json")

    with pytest.raises(StudyError, match="are the same recipe under two names"):
        planned(make_workspace(tmp_path, arms=[arm, {**arm, "name": "again"}]))


def test_whether_patient_ids_are_shared_is_in_every_training_key(tmp_path):
    cohort = {"data": "", "development": ["a"], "external": ["b"]}
    apart = {job.key for job in planned(make_workspace(tmp_path)).jobs.values() if job.kind == "fit"}
    shared = make_workspace(tmp_path, cohort={**cohort, "patient_ids": "shared"})

    assert not apart & {job.key for job in planned(shared).jobs.values()}


def test_a_fold_without_a_class_is_refused_before_anything_is_trained(tmp_path):
    write_center(tmp_path / "data" / "a", patients=4)
    workspace = make_workspace(tmp_path, split={"kind": "holdout", "validation": 0.25, "reserve": 0})

    with pytest.raises(StudyError, match=r"part of fold 0 has 0|lower|add patients"):
        take_in(workspace, quiet)


def test_the_folds_do_not_depend_on_the_secret_of_the_patient_hashes(tmp_path):
    tables = []
    for name in ("one", "two"):
        workspace = make_workspace(tmp_path / name)
        cohort = take_in(workspace, quiet)
        images = cohort.centers["a"].images.select("image", "patient")
        tables.append(images.join(pl.read_parquet(workspace.folds), on="patient").select("image", "fold").sort("image"))

    assert (tmp_path / "one" / "runs" / "salt").read_bytes() != (tmp_path / "two" / "runs" / "salt").read_bytes()
    assert tables[0].equals(tables[1])


def test_an_image_of_an_external_center_in_the_development_center_stops_the_study(tmp_path):
    workspace = make_workspace(tmp_path)
    (tmp_path / "data" / "b" / "0.png").write_bytes((tmp_path / "data" / "a" / "3.png").read_bytes())

    with pytest.raises(StudyError, match="1 exact duplicates with a"):
        take_in(workspace, quiet)


def test_an_image_of_the_corpus_in_the_development_center_is_written_down_as_a_warning(tmp_path):
    workspace = make_workspace(tmp_path)
    (tmp_path / "data" / "a" / "0.png").write_bytes((tmp_path / "data" / "chest" / "0.png").read_bytes())

    take_in(workspace, quiet)

    found = pl.read_parquet(workspace.findings).row(0, named=True)
    assert (found["severity"], found["first"], found["second"]) == ("warns", "chest", "a")


def test_a_center_without_a_folder_is_refused_by_name(tmp_path):
    workspace = make_workspace(tmp_path, cohort={"data": "", "development": ["a"], "external": ["b", "nowhere"]})

    with pytest.raises(StudyError, match="'nowhere' of study 'tiny' has no folder"):
        take_in(workspace, quiet)


def test_fewer_patients_of_a_class_than_folds_are_refused(tmp_path):
    write_center(tmp_path / "data" / "a", patients=4)
    workspace = make_workspace(tmp_path, split={"kind": "kfold", "folds": 3})

    with pytest.raises(StudyError, match="lower `folds`"):
        take_in(workspace, quiet)


def test_features_of_one_purpose_are_selected_without_the_others(tmp_path):
    arm = {"task": "radiomics", "labels": {"positive": ["malignant"], "negative": ["benign"]}, "parts": 1}
    workspace = make_workspace(tmp_path, arms=[{**arm, "robustness": {"shift": [0.1]}}])

    part = planned(workspace, parse_selection(workspace.study, "kind=features purpose=perturbed", ""))

    assert {job.name for job in part.selected.values()} == {"features-a-perturbed", "features-b-perturbed"}


@pytest.mark.parametrize(
    ("only", "arm", "sentence"),
    [
        ("bakbone=resnet18", "", "Did you mean 'backbone'"),
        ("backbone", "", "is not <field>=<value>"),
        ("", "clasification", "Did you mean 'classification'"),
    ],
)
def test_a_misspelt_selection_is_refused(tmp_path, only, arm, sentence):
    with pytest.raises(StudyError, match=sentence):
        parse_selection(make_workspace(tmp_path).study, only, arm)


def test_a_selection_that_matches_nothing_is_refused(tmp_path):
    workspace = make_workspace(tmp_path)

    with pytest.raises(StudyError, match="no job of study 'tiny' matches"):
        planned(workspace, parse_selection(workspace.study, "pretraining=none init=transfer", ""))


def test_a_misspelt_value_of_a_selection_is_refused_with_the_nearest_one(tmp_path):
    workspace = make_workspace(tmp_path)

    with pytest.raises(StudyError, match=r"no job has init 'transfr'\. Did you mean 'transfer'"):
        planned(workspace, parse_selection(workspace.study, "init=scratch,transfr", ""))


def test_a_sweep_with_missing_weights_is_refused_but_a_selection_without_them_is_not(tmp_path):
    grid = {"backbone": ["resnet50"], "pretraining": ["none", "radimagenet"], "init": ["scratch", "transfer"]}
    arm = {**make_workspace(tmp_path).study.arms[0].model_dump(mode="json"), "grid": grid}
    workspace = make_workspace(tmp_path, arms=[arm], weights=str(tmp_path / "weights"))

    with pytest.raises(StudyError, match=r"radimagenet.*resnet50\.safetensors.*weights add FILE --as radimagenet"):
        check_weights(planned(workspace))

    check_weights(planned(workspace, parse_selection(workspace.study, "pretraining=none", "")))


def test_patient_ids_shared_between_development_and_external_are_refused(tmp_path):
    cohort = {"data": "", "development": ["a"], "external": ["b"], "patient_ids": "shared"}
    workspace = make_workspace(tmp_path, cohort=cohort)

    with pytest.raises(StudyError, match="8 patients of the development center 'a' are in the external center 'b'"):
        take_in(workspace, quiet)


def test_the_salt_is_readable_by_its_owner_only(tmp_path):
    workspace = make_workspace(tmp_path)
    workspace.salt()

    assert (workspace.root / "salt").stat().st_mode & 0o777 == 0o600


def test_finished_records_are_plain_json(tmp_path):
    workspace = make_workspace(tmp_path)
    take_in(workspace, quiet)
    job = next(iter(planned(workspace).jobs.values()))
    publish(workspace, job, value=0.5)

    assert json.loads((workspace.run_store.root / "finished" / f"{job.key}.json").read_text())["result"] == {
        "value": 0.5
    }
