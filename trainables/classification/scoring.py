"""Logits of regions as they are, the same way in validation and in prediction."""

from __future__ import annotations

import torch

from trainables.classification.examples import Examples
from trainables.classification.objective import Logits


def logits_of(model: torch.nn.Module, examples: Examples) -> Logits:
    """Logits (regions, outputs) of the unchanged regions, in full precision.

    Half precision would leave so few different logits that ties shape the ROC curve.
    """
    model.eval()
    with torch.inference_mode():
        return torch.cat([model(inputs) for inputs in examples.in_order()]).double().cpu().numpy()
