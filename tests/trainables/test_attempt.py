from __future__ import annotations

import json
import logging

import polars as pl
import pytest

from infra.store import RunStore
from tests.orchestrator.fake_tasks import facts_of
from trainables.attempt import Attempt, try_job
from trainables.certificate import CertificateError
from trainables.log import log_to
from trainables.task import Stop

JOB = {
    "key": "k",
    "kind": "predict",
    "purpose": "scores",
    "task": "classification",
    "epochs": 3,
    "until": 3,
    "pruned": False,
    "name": "cell-f0-s1-b",
    "hyperparameters": {},
    "needs": {"fit": "the-fit"},
    "cell": {"id": "classification/x-none-scratch"},
    "fold": 0,
    "seed": 1,
}


@pytest.fixture
def store(tmp_path):
    return RunStore(tmp_path)


TRIAL = {
    **JOB,
    "kind": "tune",
    "purpose": "scores",
    "trial": 0,
    "cell": {"id": "classification/x-none-scratch", "pretraining": "none", "init": "scratch"},
}


def new_attempt(store, said=None, job=JOB) -> Attempt:
    payload = {"job": job, "device": "cpu", "threads": 1}
    return Attempt(payload, store, (said if said is not None else []).append)


def write_number(number: int):
    return lambda folder: (folder / "state.txt").write_text(str(number))


def test_every_reported_epoch_is_in_the_journal_and_told_to_the_driver(store):
    said = []
    attempt = new_attempt(store, said)

    attempt.report(1, {"train/loss": 0.5})

    row = json.loads((attempt.folder / "journal" / "000001.json").read_text())
    assert (row["epoch"], row["metrics"]) == (1, {"train/loss": 0.5})
    assert said == [{"state": "running", "epoch": 1, "metrics": {"train/loss": 0.5}}]


def test_only_the_newest_two_checkpoints_are_kept(store):
    attempt = new_attempt(store)

    for epoch in (1, 2, 3):
        attempt.save_checkpoint(epoch, write_number(epoch))

    assert sorted(path.name for path in (attempt.folder / "checkpoint").iterdir()) == ["000002", "000003"]


def test_a_later_attempt_goes_on_from_the_furthest_checkpoint_with_the_journal_up_to_there(store):
    first = new_attempt(store)
    for epoch in (1, 2, 3):
        first.report(epoch, {"train/loss": 1.0 / epoch})
        if epoch < 3:
            first.save_checkpoint(epoch, write_number(epoch))
    new_attempt(store)  # died before it had anything to leave

    third = new_attempt(store)
    found = third.newest_checkpoint()

    assert found is not None
    assert (found / "state.txt").read_text() == "2"
    assert sorted(path.stem for path in (third.folder / "journal").iterdir()) == ["000001", "000002"]


def test_features_that_were_cut_off_go_on_from_the_chunk_they_came_to_though_they_train_no_epochs(store):
    job = {**JOB, "kind": "features", "epochs": 0, "until": 0}
    new_attempt(store, job=job).save_checkpoint(3, write_number(3))

    assert new_attempt(store, job=job).newest_checkpoint().name == "000003"


def test_a_checkpoint_that_was_cut_off_is_not_found(store):
    first = new_attempt(store)

    def half(folder):
        (folder / "state.txt").write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        first.save_checkpoint(1, half)

    assert new_attempt(store).newest_checkpoint() is None


def test_an_attempt_that_was_superseded_stops_at_its_next_epoch_and_cannot_publish(store):
    old = new_attempt(store)
    new = new_attempt(store)

    with pytest.raises(Stop):
        old.report(1, {})
    with pytest.raises(Stop):
        old.publish()
    new.publish()

    assert store.finished()["k"]["attempt"] == new.folder.name


def test_predictions_carry_the_identity_of_their_job(store):
    attempt = new_attempt(store)
    row = {"center": "b", "patient": "p", "image": "i", "region": -1, "role": "external", "variant": "original"}

    attempt.write_table("predictions", pl.DataFrame([{**row, "score": 0.5, "logit": 0.0}]))

    table = pl.read_parquet(attempt.folder / "predictions.parquet").row(0, named=True)
    assert (table["key"], table["fit_key"], table["cell"]) == ("k", "the-fit", "classification/x-none-scratch")
    assert (table["fold"], table["seed"]) == (0, 1)


def test_a_publication_names_result_time_and_memory(store):
    attempt = new_attempt(store)
    attempt.set_result({"value": 0.75, "epoch": 2})
    attempt.save_checkpoint(1, write_number(1))

    attempt.publish()

    record = store.finished()["k"]
    assert record["result"] == {"value": 0.75, "epoch": 2}
    assert record["core_seconds"] > 0
    assert record["peak_megabytes"] > 0
    assert not (attempt.folder / "checkpoint").exists()


@pytest.mark.parametrize(("error", "deterministic"), [(ValueError("x"), True), (OSError("disk"), False)])
def test_a_failure_says_whether_it_would_happen_again(store, error, deterministic):
    attempt = new_attempt(store)

    attempt.record_failure(error)

    record = store.failed()["k"]
    assert record["deterministic"] is deterministic
    assert record["type"] == type(error).__name__


def trained(store, job, value: float = 0.7, rate: float | None = None) -> Attempt:
    """An attempt at a trial that trained up to where its stage ends."""
    attempt = new_attempt(store, job=job)
    start = attempt.newest_checkpoint()
    for epoch in range(1 if start is None else int(start.name) + 1, job["until"] + 1):
        attempt.report(epoch, {"validation/auc": value})
        attempt.save_checkpoint(epoch, write_number(epoch))
    (attempt.folder / "model.safetensors").write_bytes(b"weights")
    attempt.certify(facts_of(job) | ({} if rate is None else {"learning_rate": rate}))
    attempt.set_result({"value": value, "epoch": 1})
    return attempt


def test_a_trial_that_comes_to_its_rung_pauses_and_keeps_what_it_goes_on_from(store):
    attempt = trained(store, {**TRIAL, "until": 2})

    message = attempt.publish()

    assert message == {"state": "paused", "epoch": 2}
    assert store.finished() == {}
    record = store.rungs("k")[2]
    assert (record["value"], record["attempt"], record["epoch"]) == (0.7, attempt.folder.name, 2)
    assert not (attempt.folder / "model.safetensors").exists()
    assert new_attempt(store, job=TRIAL).newest_checkpoint().name == "000002"


def test_of_the_stages_of_a_trial_only_the_last_one_keeps_checkpoints(store):
    trained(store, {**TRIAL, "until": 1}).publish()
    trained(store, {**TRIAL, "until": 2}).publish()
    trained(store, {**TRIAL, "until": 2}).publish()  # killed before its record, say: it trains nothing more

    left = [path.name for attempt in store.attempts_so_far("k") for path in (attempt / "checkpoint").glob("*")]

    assert left == ["000002"]


def test_the_first_record_of_a_rung_counts(store):
    job = {**TRIAL, "until": 2}
    trained(store, job, 0.7).publish()

    trained(store, job, 0.9).publish()

    assert store.rungs("k")[2]["value"] == 0.7


def test_a_pruned_trial_is_published_with_what_it_came_to_and_what_all_its_stages_cost(store):
    trained(store, {**TRIAL, "until": 2}).publish()

    message = trained(store, {**TRIAL, "until": 2, "pruned": True}).publish()

    assert message == {"state": "finished"}
    record = store.finished()["k"]
    assert record["result"] == {"value": 0.7, "epoch": 1, "pruned": True, "epochs_trained": 2}
    # Both attempts are in this one process, whose time only grows.
    assert record["core_seconds"] >= 2 * store.rungs("k")[2]["core_seconds"]


def test_a_trial_that_ran_to_its_end_says_so(store):
    trained(store, TRIAL).publish()

    assert store.finished()["k"]["result"]["epochs_trained"] == 3
    assert store.finished()["k"]["result"]["pruned"] is False


@pytest.mark.parametrize("until", [2, 3])
def test_a_training_that_is_not_what_its_cell_says_is_neither_published_nor_paused(store, until):
    attempt = trained(store, {**TRIAL, "until": until}, rate=0.5)

    with pytest.raises(CertificateError, match=r"built with rate 0\.5, 0\.001 was asked for"):
        attempt.publish()

    assert store.finished() == {}
    assert store.rungs("k") == {}


def test_a_training_whose_certificate_was_refused_is_not_gone_on_from(store):
    trained(store, {**TRIAL, "until": 1}).publish()
    attempt = trained(store, TRIAL, rate=0.5)
    with pytest.raises(CertificateError) as refused:
        attempt.publish()

    attempt.record_failure(refused.value)

    assert new_attempt(store, job=TRIAL).newest_checkpoint() is None


def test_a_training_that_certifies_nothing_is_not_published(store):
    attempt = new_attempt(store, job=TRIAL)
    attempt.set_result({"value": 0.7, "epoch": 1})

    with pytest.raises(KeyError):
        attempt.publish()

    assert store.finished() == {}


def test_an_attempt_that_begins_anew_goes_on_from_its_own_checkpoint(store):
    """As after running out of GPU memory, when the batch is computed in smaller parts."""
    trained(store, {**TRIAL, "until": 1})
    attempt = new_attempt(store, job=TRIAL)
    for epoch in (1, 2):
        attempt.report(epoch, {"train/loss": 1.0})
        attempt.save_checkpoint(epoch, write_number(epoch))

    found = attempt.newest_checkpoint()
    attempt.save_checkpoint(2, write_number(9))

    assert (found.name, found.parent.parent) == ("000002", attempt.folder)
    assert (found / "state.txt").read_text() == "9"


def test_a_stage_never_starts_beyond_its_end(store):
    trained(store, TRIAL)

    assert new_attempt(store, job={**TRIAL, "until": 2}).newest_checkpoint().name == "000002"


def test_what_jobs_share_is_made_once_and_read_by_all(store):
    first, second = new_attempt(store), new_attempt(store, job={**JOB, "key": "other"})

    made = [run.shared("pace", lambda value=value: {"value": value}) for value, run in enumerate((first, second))]

    assert made == [{"value": 0}, {"value": 0}]


def test_an_attempt_leaves_a_plain_log_with_its_failure(store, tmp_path):
    tasks = "tests.orchestrator.fake_tasks:TASKS"
    payload = {"job": JOB, "device": "cpu", "threads": 1, "store": str(tmp_path), "tasks": tasks}
    said = []

    try_job(payload, said.append)

    text = (store.newest_attempt("k") / "log.txt").read_text()
    assert said[-1]["state"] == "failed"
    assert "cell-f0-s1-b on cpu with 1 threads" in text
    assert "KeyError: 'inputs'" in text


def test_a_log_has_our_lines_and_of_libraries_only_warnings(tmp_path):
    with log_to(tmp_path / "log.txt"):
        logging.getLogger("trainables.classification").info("images stay in memory")
        logging.getLogger("matplotlib.fonts").info("found a font")
        logging.getLogger("matplotlib.fonts").warning("found none")
    logging.getLogger("trainables.classification").warning("too late")

    lines = (tmp_path / "log.txt").read_text().splitlines()
    assert [line.partition(": ")[2] for line in lines] == ["images stay in memory", "found none"]


def test_of_a_published_trial_no_weights_are_kept_but_those_of_a_replicate_are(store):
    trial = trained(store, TRIAL)
    replicate = trained(store, {**TRIAL, "key": "fit", "kind": "fit"})

    trial.publish()
    replicate.publish()

    assert not (trial.folder / "model.safetensors").exists()
    assert (replicate.folder / "model.safetensors").exists()
