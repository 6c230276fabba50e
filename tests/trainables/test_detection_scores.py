from __future__ import annotations

import pytest

from trainables.detection.quiet import import_ultralytics

pytestmark = pytest.mark.slow

import_ultralytics()

import torch  # noqa: E402

from trainables.detection.card import DetectorCard  # noqa: E402
from trainables.detection.scores import image_score, score_named  # noqa: E402


def score(confidences: list[float], how: str, classes: list[int] | None = None) -> float:
    found = torch.tensor(confidences), torch.tensor(classes or [0] * len(confidences))
    return image_score(*found, score_named(how))


def test_max_is_the_most_confident_box_and_noisy_or_the_chance_that_any_is_right():
    # 1 - 0.5 * 0.8 * 0.9 = 0.64
    assert score([0.5, 0.2, 0.1], "max") == 0.5
    assert score([0.5, 0.2, 0.1], "noisy_or") == pytest.approx(0.64, abs=1e-7)


@pytest.mark.parametrize("how", ["max", "noisy_or"])
def test_boxes_of_other_lesions_do_not_count_and_no_box_scores_zero(how):
    assert score([0.9, 0.25], how, [1, 0]) == pytest.approx(0.25)
    assert score([0.9, 0.25], how, [1, 1]) == 0
    assert score([], how) == 0


def test_noisy_or_stays_exact_and_within_0_and_1_at_both_ends():
    assert score([1.0, 0.3], "noisy_or") == 1
    assert score([0.0, 0.0], "noisy_or") == 0
    assert score([0.999] * 100, "noisy_or") == 1
    # A product of (1 - p) in 64 bits would give 2.0000000165e-09, in 32 bits 0.
    assert score([1e-9, 1e-9], "noisy_or") == pytest.approx(2e-9, rel=1e-8)
    assert score([0.001] * 100, "noisy_or") == pytest.approx(1 - 0.999**100, rel=1e-6)


def test_another_word_is_no_score(tmp_path):
    with pytest.raises(ValueError, match="score 'mean' is none of max, noisy_or"):
        score_named("mean")


def test_a_card_is_read_as_it_was_written_and_names_the_license_of_the_code(tmp_path):
    card = DetectorCard({"backbone": [], "scale": "n"}, ("target", "other"), 640, "noisy_or")

    card.write(tmp_path)

    assert DetectorCard.read(tmp_path) == card
    assert '"code_license": "AGPL-3.0"' in (tmp_path / "model.json").read_text()
