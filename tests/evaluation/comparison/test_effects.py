"""Which cells the named contrasts average, and who leaves them."""

from __future__ import annotations

import polars as pl
import pytest

from evaluation.comparison.comparing import CELLS
from evaluation.comparison.contrast import deviations, weights_of
from evaluation.comparison.effects import INIT, PAYOFF, SOURCE, named_effects, pair_effects

RESNET = {("none", "scratch"), *(("rad", init) for init in ("transfer", "frozen")), ("imagenet", "transfer")}
INCEPTION = {("none", "scratch"), *((source, "transfer") for source in ("rad", "imagenet")), ("imagenet", "frozen")}
DENSE = {("none", "scratch"), ("imagenet", "transfer"), ("imagenet", "frozen")}
GRID = {"resnet": RESNET, "inception": INCEPTION, "dense": DENSE}
ORDER = [("none", "scratch"), ("rad", "frozen"), ("rad", "transfer"), ("imagenet", "frozen"), ("imagenet", "transfer")]


def cells(grid=GRID, arm="a", exploratory=()):
    rows = [
        (
            f"{arm}/{name}-{source}-{init}",
            arm,
            "classification",
            name,
            source,
            init,
            3,
            (name, init) in exploratory,
            "given",
        )
        for name, combinations in grid.items()
        for source, init in ORDER
        if (source, init) in combinations
    ]
    return pl.DataFrame(rows, schema=CELLS, orient="row")


def effect(kind, first, second, table=None):
    found = named_effects(cells() if table is None else table)
    return next(one for one in found if (one.kind, one.first, one.second) == (kind, first, second))


def test_the_payoff_is_a_source_and_init_minus_scratch_in_every_backbone_that_has_it():
    found = effect(PAYOFF, "rad-transfer", "scratch")

    assert found.pairs == {
        "resnet": (("a/resnet-rad-transfer", "a/resnet-none-scratch"),),
        "inception": (("a/inception-rad-transfer", "a/inception-none-scratch"),),
    }
    assert found.without == ("dense",)


def test_the_source_effect_averages_the_inits_that_a_backbone_has_of_both():
    found = effect(SOURCE, "rad", "imagenet")

    # resnet has imagenet only as transfer, inception has rad only as transfer, dense has no rad.
    assert {name: len(pairs) for name, pairs in found.pairs.items()} == {"resnet": 1, "inception": 1}
    assert found.without == ("dense",)


def test_the_init_effect_is_transfer_minus_frozen_whatever_the_order_of_the_grid():
    found = effect(INIT, "transfer", "frozen")

    assert found.pairs["resnet"] == (("a/resnet-rad-transfer", "a/resnet-rad-frozen"),)
    assert found.pairs["dense"] == (("a/dense-imagenet-transfer", "a/dense-imagenet-frozen"),)


def test_every_backbone_has_the_same_weight_and_within_it_every_pair():
    full = {("none", "scratch"), *((source, init) for source in ("rad", "imagenet") for init in ("transfer", "frozen"))}
    found = effect(INIT, "transfer", "frozen", cells({"resnet": full, "dense": DENSE}))

    weights = weights_of(found.pairs)

    assert weights["a/resnet-rad-transfer"] == weights["a/resnet-imagenet-transfer"] == 1 / 4
    assert weights["a/dense-imagenet-transfer"] == 1 / 2
    assert weights["a/dense-imagenet-frozen"] == -1 / 2
    assert sum(weights.values()) == pytest.approx(0)


def test_an_arm_without_scratch_has_no_payoff():
    found = named_effects(cells({"resnet": RESNET - {("none", "scratch")}}))

    assert {one.kind for one in found} == {SOURCE, INIT}


def test_arms_are_never_averaged_together():
    both = pl.concat([cells(), cells(arm="b")])

    assert [one.arm for one in named_effects(both) if one.kind == SOURCE] == ["a", "b"]


def test_exploratory_cells_take_no_part():
    found = effect(PAYOFF, "rad-transfer", "scratch", cells(exploratory=[("resnet", "transfer")]))

    assert list(found.pairs) == ["inception"]
    assert found.without == ("resnet", "dense")


def test_a_backbone_with_a_cell_that_has_no_result_leaves_as_a_whole():
    found = effect(INIT, "transfer", "frozen")

    left = found.among(set(found.cells) - {"a/dense-imagenet-frozen"})

    assert list(left.pairs) == ["resnet", "inception"]
    assert left.without == ("dense",)


def test_a_deviation_is_one_backbone_minus_the_mean_of_the_others():
    found = deviations(effect(INIT, "transfer", "frozen"))

    assert list(found) == ["resnet", "inception", "dense"]
    assert found["dense"]["a/dense-imagenet-transfer"] == 1
    assert found["dense"]["a/resnet-rad-transfer"] == -1 / 2
    assert found["dense"]["a/inception-imagenet-frozen"] == 1 / 2


def test_of_two_backbones_one_deviation_says_it_all_and_of_one_none():
    both = effect(PAYOFF, "rad-transfer", "scratch")
    alone = effect(PAYOFF, "rad-frozen", "scratch")

    assert (list(deviations(both)), list(deviations(alone))) == (["resnet"], [])


def test_a_planned_pair_across_arms_names_both():
    table = pl.concat([cells(), cells(arm="b")])

    (found,) = pair_effects([("a/resnet-none-scratch", "b/dense-none-scratch")], table)

    assert (found.arm, found.kind) == ("a vs b", "pair")
    assert found.cells == ["a/resnet-none-scratch", "b/dense-none-scratch"]
