from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

from infra.store import RunStore
from orchestrator.forecast import Sizes, estimate
from orchestrator.intake import known, take_in
from orchestrator.plan import make_plan
from orchestrator.resources import Capacity, Shape
from orchestrator.schedule import Schedule, State
from orchestrator.selection import Selection
from orchestrator.tuning.halving import Halving, kept_of, mean_epochs
from search_spaces.arms import Tune
from search_spaces.errors import StudyError
from search_spaces.job import Job
from tests.orchestrator.fake_tasks import curve
from tests.orchestrator.here import run_here
from tests.orchestrator.places import STUDY, make_workspace
from tests.orchestrator.test_schedule import job

FAKES = "tests.orchestrator.fake_tasks:TASKS"
TUNE = {"trials": 4, "epochs": 4, "parallel": 4, "rungs": [1, 2], "keep": 0.5}


class Batch:
    """Trials of one cell in a schedule of their own, that come to rungs as a test says."""

    def __init__(self, store: RunStore, **tune) -> None:
        self.store = store
        self.tune = {**TUNE, **tune}
        trials = [self._trial(number) for number in range(self.tune["trials"])]
        self.jobs = {trial.key: trial for trial in (*trials, job("fit", trials=[trial.key for trial in trials]))}
        self.restart()

    def restart(self, failed=()) -> None:
        """A new sweep: all that is left is the run store."""
        finished = [f"t{n}" for n in range(self.tune["trials"]) if (self.store.root / f"done-t{n}").exists()]
        shapes = dict.fromkeys(self.jobs, Shape())
        halving = Halving(self.jobs, self.store)
        failed = dict.fromkeys(failed, "failed before")
        self.schedule = Schedule(self.jobs, shapes, Capacity(99), finished=finished, failed=failed, halving=halving)

    def offered(self) -> set[str]:
        """Everything that can start now, as job, epoch where it ends, and `pruned`."""
        found = set()
        while (ready := self.schedule.next()) is not None:
            stage = Halving(self.jobs, self.store).stage(ready.key, lambda key: False)
            found.add(f"{ready.key}:{stage.until}" + ":pruned" * stage.pruned)
        return found

    def come(self, epoch: int, *values: float | None) -> None:
        """Trials 0, 1, … end at a rung with these values; None does not."""
        for number, value in enumerate(values):
            if value is not None:
                self.store.record_rung(f"t{number}", epoch, {"value": value})
                assert self.schedule.pause(f"t{number}")

    def finish(self, *keys: str) -> None:
        for key in keys:
            (self.store.root / f"done-{key}").touch()
            self.schedule.finish(key)

    def _trial(self, number: int) -> Job:
        before = [f"t{n}" for n in range(number - number % self.tune["parallel"])]
        plain = job(f"t{number}", "tune", trials=before)
        recipe = {"kind": "tune", "tune": self.tune, "trial": number}
        return replace(plain, trial=number, epochs=self.tune["epochs"], recipe=recipe)


@pytest.fixture
def batch(tmp_path) -> Batch:
    return Batch(RunStore(tmp_path))


def test_every_trial_runs_to_the_first_rung_and_waits_there_for_all_of_its_batch(batch):
    assert batch.offered() == {"t0:1", "t1:1", "t2:1", "t3:1"}

    batch.come(1, 0.6, 0.7, 0.8)

    assert batch.offered() == set()
    assert batch.schedule.count(State.RUNNING) == 1


def test_the_better_half_goes_on_and_the_others_are_published_as_they_are(batch):
    batch.offered()

    batch.come(1, 0.6, 0.9, 0.7, 0.8)

    assert batch.offered() == {"t0:1:pruned", "t1:2", "t2:1:pruned", "t3:2"}


def test_of_two_equal_trials_the_earlier_one_goes_on_and_one_without_a_number_never_does(batch):
    batch.offered()

    batch.come(1, math.nan, 0.7, 0.8, 0.7)

    assert batch.offered() == {"t0:1:pruned", "t1:2", "t2:2", "t3:1:pruned"}


def test_a_replicate_waits_until_pruned_trials_are_published_too(batch):
    batch.offered()
    batch.come(1, 0.9, 0.8, 0.7, 0.6)
    batch.offered()
    batch.come(2, 0.9, 0.8)
    assert batch.offered() == {"t0:4", "t1:2:pruned"}

    batch.finish("t0", "t1", "t2")
    assert batch.offered() == set()
    batch.finish("t3")

    assert batch.schedule.next().key == "fit"


def test_a_rung_is_not_held_up_by_a_trial_that_failed_or_was_pruned_before(batch):
    batch.offered()
    batch.schedule.fail("t3", "diverged")
    batch.come(1, 0.9, 0.8, 0.7)
    assert batch.offered() == {"t0:2", "t1:2", "t2:1:pruned"}  # two of three go on

    batch.come(2, 0.6, 0.8)  # t2 is still being published

    assert batch.offered() == {"t0:2:pruned", "t1:4"}


@pytest.mark.parametrize("when", ["before the last", "after the decision"])
def test_a_sweep_that_was_killed_decides_the_same_after_a_restart(batch, when):
    batch.offered()
    batch.come(1, 0.6, 0.9, 0.7)
    if when == "before the last":
        batch.restart()
        assert batch.offered() == {"t3:1"}
    batch.come(1, None, None, None, 0.8)
    if when == "after the decision":
        batch.offered()
        batch.restart()

    assert batch.offered() == {"t0:1:pruned", "t1:2", "t2:1:pruned", "t3:2"}


@pytest.mark.parametrize(("value", "then"), [(0.85, "t3:2"), (0.75, "t3:1:pruned")])
def test_a_trial_that_comes_late_is_measured_by_the_decision_and_changes_it_for_nobody(batch, value, then):
    batch.offered()
    batch.schedule.fail("t3", "disk full", for_good=False)
    batch.come(1, 0.6, 0.9, 0.8)
    assert batch.offered() == {"t0:1:pruned", "t1:2", "t2:2"}

    batch.restart()
    assert batch.offered() == {"t0:1:pruned", "t1:2", "t2:2", "t3:1"}
    batch.come(1, None, None, None, value)

    assert batch.offered() == {then}


def test_coming_to_a_rung_is_no_lost_try_and_lost_tries_stay_bounded(batch):
    batch.offered()
    for _ in range(2):
        batch.schedule.lose("t0", "killed")
        assert batch.offered() == {"t0:1"}
    batch.come(1, 0.9, 0.8, 0.7, 0.6)
    assert "t0:2" in batch.offered()

    for _ in range(2):
        assert not batch.schedule.pause("t0")
        batch.schedule.lose("t0", "killed")
        assert batch.offered() == {"t0:2"}
    batch.schedule.lose("t0", "killed")

    assert batch.schedule.states["t0"] is State.FAILED


def test_batches_of_a_cell_are_thinned_each_for_itself(tmp_path):
    batch = Batch(RunStore(tmp_path), trials=3, parallel=2)
    assert batch.offered() == {"t0:1", "t1:1"}
    batch.come(1, 0.9, 0.8)
    assert batch.offered() == {"t0:2", "t1:1:pruned"}
    batch.come(2, 0.9)
    assert batch.offered() == {"t0:4"}

    batch.finish("t0", "t1")

    assert batch.offered() == {"t2:1"}
    batch.come(1, None, None, 0.1)
    assert batch.offered() == {"t2:2"}


def test_at_least_one_trial_goes_on():
    assert [kept_of(number, 0.5) for number in (1, 2, 3, 4)] == [1, 1, 2, 2]
    assert kept_of(3, 0.1) == 1
    assert kept_of(10, 0.3) == 3


def test_the_forecast_counts_what_pruned_trials_do_not_train():
    # Four trials to epoch 1, two to 2, one to 4: 4 + 2 + 2 of 16 epochs.
    assert mean_epochs(Tune.model_validate(TUNE)) == 8 / 4
    assert mean_epochs(Tune(trials=5, epochs=4, parallel=4)) == 4


# ---- the whole way, with tasks that only pretend -------------------------------------------------------------------


def halved(folder, **tune):
    """A study of one cell whose trials cross: the last one is best in the end, and worst at the first rung."""
    arm = {**STUDY["arms"][0], "tune": {**TUNE, "epochs": 3, "rungs": [1], **tune}}
    arm["grid"] = {"backbone": ["test_resnet"], "pretraining": ["none"], "init": ["scratch"]}
    workspace = make_workspace(folder, arms=[arm])
    take_in(workspace, lambda text: None)
    return workspace


def outcome(workspace) -> dict[str, tuple[float, bool, int]]:
    """value, pruned and epochs of every trial."""
    records = workspace.run_store.finished().values()
    results = {record["name"].rpartition("-")[2]: record["result"] for record in records if record["kind"] == "tune"}
    return {name: (one["value"], one["pruned"], one["epochs_trained"]) for name, one in sorted(results.items())}


def choice(workspace) -> tuple[dict, list]:
    """What the cell chose and what became of its trials, from the run store."""
    (path,) = (workspace.run_store.root / "selections").glob("*.json")
    selected = json.loads(path.read_text())
    told = [(number, one["value"], one["pruned"], one["rungs"]) for number, one in sorted(selected["trials"].items())]
    return selected["hyperparameters"], told


EXPECTED = {
    "t0": (curve(0, 1), False, 3),
    "t1": (curve(1, 3), False, 3),
    "t2": (curve(2, 1), True, 1),
    "t3": (curve(3, 1), True, 1),
}


def test_a_trial_that_would_have_won_is_pruned_when_it_starts_low_and_the_best_of_the_rest_is_chosen(tmp_path):
    workspace = halved(tmp_path)

    schedule, payloads = run_here(workspace, tasks=FAKES)

    assert outcome(workspace) == EXPECTED
    tried = {payload["job"]["name"].rpartition("-")[2]: payload["job"]["hyperparameters"] for payload in payloads}
    chosen, told = choice(workspace)
    assert chosen == tried["t1"]
    assert told[3] == ("3", curve(3, 1), True, {"1": curve(3, 1)})
    fits = [payload["job"] for payload in payloads if payload["job"]["kind"] == "fit"]
    assert all(fit["hyperparameters"] == chosen for fit in fits)
    assert schedule.count(State.FINISHED) == len(schedule.jobs)
    stages = [(entry["job"]["trial"], entry["job"]["until"]) for entry in payloads if entry["job"]["kind"] == "tune"]
    assert sorted(stages) == [(0, 1), (0, 3), (1, 1), (1, 3), (2, 1), (2, 1), (3, 1), (3, 1)]


def test_without_rungs_the_trial_that_rises_fastest_wins(tmp_path):
    workspace = halved(tmp_path, rungs=[])

    run_here(workspace, tasks=FAKES)

    assert outcome(workspace)["t3"] == (curve(3, 3), False, 3)
    assert choice(workspace)[1][3][2] is False


class Kill(BaseException):
    """Goes through everything, as SIGKILL would."""


@pytest.mark.slow
@pytest.mark.parametrize("every", [1, 2, 3])
def test_sweeps_that_are_killed_again_and_again_make_the_same_choice(tmp_path, every):
    undisturbed, killed = halved(tmp_path / "a"), halved(tmp_path / "b")
    run_here(undisturbed, tasks=FAKES)

    for _ in range(60):
        heard = []

        def hear(message, heard=heard):
            heard.append(message)
            if len(heard) > every:
                raise Kill

        try:
            run_here(killed, tasks=FAKES, hear=hear)
            break
        except Kill:
            continue

    assert outcome(killed) == EXPECTED
    assert choice(killed) == choice(undisturbed)


def test_what_a_trial_tries_stays_when_an_earlier_trial_is_mended_meanwhile(tmp_path, monkeypatch):
    """The second batch was asked when a trial of the first had failed; a later sweep finishes that one first."""
    workspace = halved(tmp_path, trials=4, parallel=2, rungs=[])
    monkeypatch.setenv("FAKE_BEHAVIOR", "break@-t1")
    heard = []

    def hear(message):
        heard.append(message)
        if len(heard) == 6:  # three epochs of t0 and its end, the failure of t1, the first epoch of t2
            raise Kill

    with pytest.raises(Kill):
        run_here(workspace, tasks=FAKES, hear=hear)
    proposed = {path.name: path.read_text() for path in (workspace.run_store.root / "proposals").glob("*.json")}
    monkeypatch.setenv("FAKE_BEHAVIOR", "")

    _, payloads = run_here(workspace, tasks=FAKES)

    assert len(proposed) == 3
    given = {payload["job"]["key"]: payload["job"]["hyperparameters"] for payload in payloads}
    for name, text in proposed.items():
        kept = json.loads(text)
        assert given.get(name.removesuffix(".json"), kept["hyperparameters"]) == kept["hyperparameters"]
    assert [payload["job"]["name"].rpartition("-")[2] for payload in payloads][:3] == ["t1", "t2", "t3"]


def test_the_keys_of_trials_follow_the_tuning_budget_and_what_is_tuned(tmp_path):
    changes = [
        {},
        {"rungs": []},
        {"rungs": [2]},
        {"keep": 0.25},
        {"search": ["learning_rate"]},
        {"fixed": {"ema": "0.99"}},
    ]

    plans = [
        make_plan(space, known(space), Selection())
        for number, change in enumerate(changes)
        for space in [halved(tmp_path / str(number), **change)]
    ]

    keys = [frozenset(key for key, entry in plan.jobs.items() if entry.kind == "tune") for plan in plans]
    assert len(set().union(*keys)) == sum(map(len, keys)) == 4 * len(changes)


def test_every_cell_of_an_arm_has_the_same_trials_epochs_and_rungs(tmp_path):
    arm = {**STUDY["arms"][0], "tune": TUNE}
    workspace = make_workspace(tmp_path, arms=[arm])
    plan = make_plan(workspace, known(workspace), Selection())

    budgets = {
        cell.id: [
            (entry.trial, entry.epochs, tuple(entry.recipe["tune"]["rungs"]), entry.recipe["tune"]["keep"])
            for entry in plan.jobs.values()
            if entry.kind == "tune" and entry.cell == cell.id
        ]
        for cell in plan.expansion.cells
    }

    assert len(budgets) > 1
    assert len({tuple(budget) for budget in budgets.values()}) == 1
    assert len(next(iter(budgets.values()))) == 4


def test_a_study_with_rungs_is_estimated_to_take_less_time(tmp_path):
    seconds = []
    for rungs in ([], [1, 2]):
        workspace = halved(tmp_path / str(len(rungs)), rungs=rungs, epochs=40)
        plan = make_plan(workspace, known(workspace), Selection())
        trial = next(entry for entry in plan.jobs.values() if entry.kind == "tune")
        seconds.append(estimate(workspace.study, trial, Sizes(dict.fromkeys("ab", 1000))))

    assert seconds[1] < 0.5 * seconds[0]


def test_with_no_trials_replicates_get_exactly_what_the_study_fixes(tmp_path):
    workspace = halved(tmp_path, trials=0, fixed={"weight_decay": 0.003, "schedule": "linear"})

    _, payloads = run_here(workspace, tasks=FAKES)

    fits = [payload["job"] for payload in payloads if payload["job"]["kind"] == "fit"]
    assert fits
    assert all(fit["hyperparameters"] == {"weight_decay": 0.003, "schedule": "linear"} for fit in fits)


def test_where_no_trial_has_a_value_nothing_is_chosen_and_no_replicate_trains_with_defaults(tmp_path):
    workspace = halved(tmp_path, rungs=[])
    run_here(workspace, tasks=FAKES, selection=Selection(only={"kind": ("tune",)}))
    for path in (workspace.run_store.root / "finished").glob("*.json"):
        record = json.loads(path.read_text())
        record["result"]["value"] = math.nan
        path.write_text(json.dumps(record))

    with pytest.raises(StudyError, match=r"Cell classification/test_resnet-none-scratch: not one of its 4 tuning"):
        run_here(workspace, tasks=FAKES)

    assert not (workspace.run_store.root / "selections").exists()
