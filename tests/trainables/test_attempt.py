from __future__ import annotations

import json

import polars as pl
import pytest

from infra.store import RunStore
from trainables.attempt import Attempt
from trainables.task import Stop

JOB = {
    "key": "k",
    "kind": "predict",
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


def new_attempt(store, said=None) -> Attempt:
    payload = {"job": JOB, "device": "cpu", "threads": 1}
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
