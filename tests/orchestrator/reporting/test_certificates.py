"""Certificates of a cell's replicates become one row that claims no more than all of them prove."""

from __future__ import annotations

from orchestrator.reporting.certificates import checked, summary
from tests.orchestrator.reporting.trainings import SCRATCH, TRANSFER, training

FIRST, SECOND = f"{TRANSFER}-f0-s0", f"{TRANSFER}-f1-s0"
FROZEN = dict.fromkeys(("fingerprint_frozen_before", "fingerprint_frozen_after", "fingerprint_frozen_average"), "kept")


def test_replicates_are_summed_up_in_one_row() -> None:
    row = summary([training(FIRST), training(SECOND)])

    assert (row["replicates"], row["init"], row["file"], row["sha256"]) == (2, "transfer", "x.safetensors", "of chest")
    assert (row["tensors_loaded"], row["tensors_missing"], row["share"]) == (2, 1, 0.95)
    assert (row["trainable_parameters"], row["frozen_parameters"]) == (7, 0)
    assert (row["optimizer"], row["learning_rate"], row["weight_decay"]) == ("AdamW", 0.003, 0.01)
    assert (row["precision"], row["pixels"], row["out_of_memory"]) == ("float32", "", 0)


def test_where_pixels_lie_and_how_steps_are_computed_is_said_in_words() -> None:
    pixels = {"train": {"where": "cuda:0", "megabytes": 812.0}, "validation": {"where": "cuda:0", "megabytes": 90.0}}
    way = {"bfloat16": True, "channels_last": True, "compiled": False}

    row = summary([training(FIRST, {"pixels": pixels, "pace": {"way": way, "timings": []}})])

    assert (row["pixels"], row["precision"], row["pace"]) == ("cuda:0", "bfloat16", "channels last")


def test_of_replicates_that_differ_the_least_favorable_number_and_all_texts_stand() -> None:
    poorer = {
        "tensors_loaded": ["conv1.weight"],
        "share_loaded": 0.91,
        "source": {"file": "y.pt", "sha256": "of another seed"},
        "out_of_memory": ["8 of 16 images", "4 of 16 images"],
    }

    row = summary([training(FIRST), training(SECOND, poorer)])

    assert (row["tensors_loaded"], row["share"], row["out_of_memory"]) == (1, 0.91, 2)
    assert (row["file"], row["sha256"]) == ("x.safetensors; y.pt", "of chest; of another seed")


def test_what_nobody_certified_is_left_empty() -> None:
    row = summary([training(FIRST, {"share_loaded": None, "weight_decay": None})])

    assert (row["share"], row["weight_decay"], row["tensors_reshaped"], row["pace"]) == (None, None, None, "")


def test_a_proof_stands_if_every_replicate_gives_it() -> None:
    sound = [training(FIRST), training(SECOND)]

    assert checked(sound) == {"checked": "rate read back; trained weights moved", "unproven": ""}
    assert checked([*sound, training(FIRST, {"learning_rate": 0.01})]) == {
        "checked": "trained weights moved",
        "unproven": "rate read back",
    }


def test_frozen_bytes_are_equal_only_if_those_of_the_average_are_too() -> None:
    assert "frozen bytes equal" in checked([training(FIRST, FROZEN)])["checked"]
    for name in ("fingerprint_frozen_after", "fingerprint_frozen_average"):
        assert checked([training(FIRST, {**FROZEN, name: "moved"})])["unproven"] == "frozen bytes equal"
    assert "frozen bytes equal" in checked([training(FIRST, {**FROZEN, "fingerprint_frozen_average": ""})])["checked"]


def test_nothing_is_said_of_frozen_bytes_where_nothing_is_frozen() -> None:
    assert "frozen" not in str(checked([training(FIRST)]))


def test_weights_that_did_not_move_are_not_proven_to_have_learned() -> None:
    still = training(FIRST, {"fingerprint_trained_after": "before"})

    assert checked([still])["unproven"] == "trained weights moved"


def test_scratch_is_proven_by_having_loaded_nothing() -> None:
    name = f"{SCRATCH}-f0-s0"

    assert checked([training(name)])["checked"].startswith("nothing loaded")
    assert checked([training(name, {"tensors_loaded": ["conv1.weight"]})])["unproven"] == "nothing loaded"


def test_a_probe_is_proven_by_a_backbone_that_it_left_alone() -> None:
    probe = {"init": "probe_then_transfer", "fingerprint_before": "loaded"}

    assert "equal after the probe" in checked([training(FIRST, {**probe, "fingerprint_probe": "loaded"})])["checked"]
    assert "equal after the probe" in checked([training(FIRST, {**probe, "fingerprint_probe": "moved"})])["unproven"]


def test_a_rate_that_was_not_tuned_is_compared_with_the_default() -> None:
    default = training(FIRST, {"learning_rate": 1e-3})

    assert "rate read back" in checked([type(default)(default.job, {}, default.facts)])["checked"]
