"""A training that is not what its cell says is never published."""

from __future__ import annotations

from typing import Any

import pytest

from trainables.certificate import CertificateError, verify

JOB = {
    "name": "classification/resnet18-chest-transfer-f0-s0",
    "task": "classification",
    "epochs": 10,
    "hyperparameters": {"learning_rate": 0.003, "weight_decay": 0.02},
}
TRAINED = {
    "init": "transfer",
    "source": {"kind": "file", "file": "resnet18.safetensors", "sha256": "ab"},
    "tensors_loaded": ["conv1.weight", "bn1.weight"],
    "share_loaded": 1.0,
    "optimizer": "AdamW",
    "learning_rate": 0.003,
    "weight_decay": 0.02,
    "fingerprint_before": "loaded",
    "fingerprint_after": "learned",
    "fingerprint_trained_before": "at step 0",
    "fingerprint_trained_after": "at the end",
    "fingerprint_frozen_before": "",
    "fingerprint_frozen_after": "",
    "fingerprint_frozen_average": "",
}
NOTHING = {"source": None, "tensors_loaded": [], "share_loaded": 0.0}
FROZEN = dict.fromkeys(("fingerprint_frozen_before", "fingerprint_frozen_after", "fingerprint_frozen_average"), "kept")


def verify_cell(cell_init: str, until: int = 10, **facts: Any) -> None:
    verify({**JOB, "cell": {"init": cell_init}, "until": until}, {**TRAINED, "init": cell_init, **facts})


def refusal(cell_init: str, **facts: Any) -> str:
    """The sentence of the certificate, empty for a training that may be published."""
    try:
        verify_cell(cell_init, **facts)
    except CertificateError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("init", "facts"),
    [
        ("transfer", {}),
        ("transfer", {"share_loaded": 0.95}),
        ("scratch", NOTHING),
        ("frozen", {**FROZEN, "fingerprint_after": "loaded"}),
        ("partial_2", FROZEN),
        ("probe_then_transfer", {"fingerprint_probe": "loaded"}),
        ("probe_then_transfer", {"until": 2, "fingerprint_probe": "loaded", "fingerprint_after": "loaded"}),
    ],
)
def test_a_training_that_is_what_it_says_passes_and_at_another_rate_does_not(init: str, facts: dict[str, Any]) -> None:
    assert refusal(init, **facts) == ""
    assert "0.003 was asked for" in refusal(init, **{**facts, "learning_rate": 0.01})


@pytest.mark.parametrize(
    ("init", "facts", "sentence"),
    [
        ("scratch", {}, "starts from scratch, and 2 tensors of resnet18.safetensors were loaded"),
        ("scratch", {**NOTHING, "source": {"file": "x.pt"}}, "0 tensors of x.pt"),
        ("transfer", NOTHING, "no weights file was loaded"),
        ("transfer", {"share_loaded": 0.89}, "89.0% of the backbone's tensors came from the file, transfer needs 90%"),
        ("frozen", {**FROZEN, "share_loaded": 0.99}, "frozen needs 100%"),
        ("partial_1", {**FROZEN, "share_loaded": 0.99}, "partial_1 needs 100%"),
        ("transfer", {"init": "scratch"}, "initialized as scratch, the cell says transfer"),
        ("transfer", {"optimizer": "SGD"}, "the live optimizer is SGD"),
        ("transfer", {"learning_rate": 0.01}, "built with rate 0.01, 0.003 was asked for"),
        ("transfer", {"weight_decay": 0.0}, "built with weight decay 0, 0.02 was asked for"),
        ("frozen", {}, "no tensor was frozen"),
        ("frozen", {**FROZEN, "fingerprint_frozen_after": "moved"}, "frozen tensors changed in training"),
        ("frozen", {**FROZEN, "fingerprint_frozen_average": "moved"}, "of the averaged copy differ"),
        ("probe_then_transfer", {"fingerprint_probe": "moved"}, "the backbone changed during the probe"),
        ("transfer", {"fingerprint_trained_after": "at step 0"}, "nothing was learned"),
        ("transfer", {"fingerprint_after": "loaded"}, "it is transfer, and the backbone is what it was"),
        ("partial_2", {**FROZEN, "fingerprint_after": "loaded"}, "it is partial_2, and the backbone is what it was"),
        (
            "probe_then_transfer",
            {"fingerprint_probe": "loaded", "fingerprint_after": "loaded"},
            "it is probe_then_transfer, and the backbone is what it was",
        ),
    ],
)
def test_a_training_that_is_something_else_is_refused(init: str, facts: dict[str, Any], sentence: str) -> None:
    with pytest.raises(CertificateError, match=sentence):
        verify_cell(init, **facts)
