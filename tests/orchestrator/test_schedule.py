from __future__ import annotations

from orchestrator.resources import Capacity, Shape
from orchestrator.schedule import Schedule, State, close_over_needs
from search_spaces.job import Job


def job(key: str, kind: str = "fit", *, needs=(), trials=(), sealed=False) -> Job:
    return Job(
        key=key,
        kind=kind,
        name=key,
        task="classification",
        arm="classification",
        cell="classification/x-none-scratch",
        backbone="x",
        pretraining="none",
        init="scratch",
        epochs=1,
        needs=tuple(needs),
        trials=tuple(trials),
        sealed=sealed,
    )


def schedule(*jobs: Job, cpus: float = 8, shapes=None, **rest) -> Schedule:
    named = {entry.key: entry for entry in jobs}
    return Schedule(named, shapes or dict.fromkeys(named, Shape()), Capacity(cpus, 1.0), **rest)


def drain(plan: Schedule) -> list[str]:
    """Run everything that can run, one after another; the order of starts."""
    started = []
    while (offered := plan.next()) is not None:
        started.append(offered.key)
        plan.finish(offered.key)
    return started


def test_a_job_starts_only_after_everything_it_needs_is_finished():
    plan = schedule(
        job("predict", "predict", needs=["fit"]), job("fit", needs=["pretrain"]), job("pretrain", "pretrain")
    )

    assert drain(plan) == ["pretrain", "fit", "predict"]


def test_the_longest_chain_of_work_goes_first():
    plan = schedule(job("alone"), job("root", "pretrain"), job("after", needs=["root"]))

    assert plan.next().key == "root"


def test_what_is_finished_is_not_offered_again():
    plan = schedule(job("done"), job("left", needs=["done"]), finished={"done"})

    assert drain(plan) == ["left"]


def test_when_a_root_fails_everything_behind_it_is_blocked_and_the_rest_goes_on():
    plan = schedule(
        job("root", "pretrain"), job("fit", needs=["root"]), job("predict", "predict", needs=["fit"]), job("other")
    )
    assert plan.next().key == "root"

    plan.fail("root", "boom")

    assert [plan.states[key] for key in ("fit", "predict")] == [State.BLOCKED, State.BLOCKED]
    assert plan.reasons["predict"] == "needs fit"
    assert drain(plan) == ["other"]
    assert plan.running == []


def test_a_replicate_starts_when_all_trials_ended_and_one_of_them_finished():
    plan = schedule(job("t0", "tune"), job("t1", "tune"), job("fit", trials=["t0", "t1"]))
    assert {plan.next().key, plan.next().key} == {"t0", "t1"}

    plan.fail("t0", "diverged")
    assert plan.next() is None
    plan.finish("t1")

    assert plan.next().key == "fit"


def test_a_replicate_is_blocked_when_no_trial_finished():
    plan = schedule(job("t0", "tune"), job("fit", trials=["t0"]))
    plan.next()

    plan.fail("t0", "diverged")

    assert plan.states["fit"] is State.BLOCKED


def test_external_predictions_wait_until_every_locked_replicate_is_settled():
    jobs = [job("f0"), job("f1"), job("predict", "predict", needs=["f0"], sealed=True)]
    plan = schedule(*jobs, locked_fits=["f0", "f1"])
    assert {plan.next().key, plan.next().key} == {"f0", "f1"}

    plan.finish("f0")
    assert plan.next() is None
    plan.fail("f1", "for good")

    assert plan.next().key == "predict"


def test_locked_replicates_outside_this_run_keep_the_seal_closed():
    jobs = [job("f0"), job("predict", "predict", needs=["f0"], sealed=True)]

    closed = schedule(*jobs, locked_fits=["f0", "elsewhere"])
    opened = schedule(*jobs, locked_fits=["f0", "elsewhere"], settled_elsewhere=["elsewhere"])

    assert drain(closed) == ["f0"]
    assert [held.key for held in closed.held()] == ["predict"]
    assert drain(opened) == ["f0", "predict"]


def test_a_replicate_that_may_yet_be_tried_again_keeps_the_seal_closed():
    jobs = [job("f0"), job("f1"), job("predict", "predict", needs=["f0"], sealed=True)]
    plan = schedule(*jobs, locked_fits=["f0", "f1"])
    assert {plan.next().key, plan.next().key} == {"f0", "f1"}
    plan.finish("f0")

    plan.fail("f1", "disk full", for_good=False)

    assert plan.next() is None
    assert plan.open_locks() == ["f1"]


def test_a_replicate_behind_a_lost_job_is_not_blocked_for_good():
    jobs = [job("root", "pretrain"), job("fit", needs=["root"]), job("other")]
    plan = schedule(*jobs, locked_fits=["fit", "other"])
    plan.next()

    plan.fail("root", "killed", for_good=False)
    drain(plan)

    assert plan.states["fit"] is State.BLOCKED
    assert not plan.seal_is_open


def test_a_long_chain_of_trials_is_no_trouble():
    chain = [job("t0", "tune")] + [job(f"t{n}", "tune", trials=[f"t{n - 1}"]) for n in range(1, 1500)]

    assert len(drain(schedule(*chain))) == 1500


def test_a_job_is_offered_only_when_it_fits_now():
    shapes = {"a": Shape(2, 0.5), "b": Shape(2, 0.5), "c": Shape(2, 0.5)}
    plan = schedule(job("a"), job("b"), job("c"), cpus=16, shapes=shapes)

    assert {plan.next().key, plan.next().key} == {"a", "b"}
    assert plan.next() is None
    plan.finish("a")

    assert plan.next().key == "c"


def test_a_lost_job_is_tried_three_times_and_a_failed_one_once():
    plan = schedule(job("flaky"))

    for _ in range(3):
        assert plan.next().key == "flaky"
        plan.lose("flaky", "killed")

    assert plan.next() is None
    assert plan.states["flaky"] is State.FAILED
    assert plan.reasons["flaky"] == "killed (3 tries)"


def test_a_job_that_failed_for_good_before_blocks_what_needs_it_from_the_start():
    plan = schedule(job("root"), job("after", needs=["root"]), failed={"root": "bad weights"})

    assert drain(plan) == []
    assert plan.states == {"root": State.FAILED, "after": State.BLOCKED}


def test_a_selection_takes_along_what_it_needs():
    jobs = {
        entry.key: entry
        for entry in (job("p", "pretrain"), job("t", "tune", needs=["p"]), job("f", trials=["t"]), job("x"))
    }

    assert set(close_over_needs([jobs["f"]], jobs)) == {"p", "t", "f"}
