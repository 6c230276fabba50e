"""The contrasts that answer a study's questions, as averages of pairs of cells."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import combinations

import polars as pl

from evaluation.comparison.primary import Pair
from search_spaces.initialization import INITIALIZATIONS

PAIR, PAYOFF, SOURCE, INIT = "pair", "payoff", "source", "init"
KINDS = (PAYOFF, SOURCE, INIT)
SCRATCH = "scratch"

_Cells = dict[tuple[str, str, str], str]
"""(backbone, pretraining, init) -> cell, within one arm."""


@dataclass(frozen=True, eq=False)
class Effect:
    """Mean over backbones of the mean over pairs of cells: first minus second, every backbone with the same weight."""

    kind: str
    arm: str
    first: str
    second: str
    pairs: Mapping[str, tuple[Pair, ...]]
    """Backbone -> its pairs (first cell, second cell)."""
    without: tuple[str, ...] = field(default=())
    """Backbones of the arm that lack what is compared, and leave the contrast."""
    exploratory: bool = False
    """A planned pair with a cell that was added or changed after the lock: it stays in its family, unmeasured."""

    @property
    def cells(self) -> list[str]:
        """Every cell that takes part, once."""
        return list(dict.fromkeys(cell for pairs in self.pairs.values() for pair in pairs for cell in pair))

    def among(self, known: Iterable[str]) -> Effect:
        """The contrast without the backbones of which any cell has no result; they join `without`."""
        there = set(known)
        kept = {name: pairs for name, pairs in self.pairs.items() if all(set(pair) <= there for pair in pairs)}
        return replace(self, pairs=kept, without=(*self.without, *(name for name in self.pairs if name not in kept)))


def pair_effects(pairs: Iterable[Pair], cells: pl.DataFrame) -> list[Effect]:
    """Single pairs of cells as contrasts; across arms where the plan says so."""
    facts = {row["cell"]: row for row in cells.iter_rows(named=True)}
    found = []
    for first, second in pairs:
        arms = dict.fromkeys((facts[first]["arm"], facts[second]["arm"]))
        backbones = dict.fromkeys((facts[first]["backbone"], facts[second]["backbone"]))
        label = " vs ".join(backbones)
        late = facts[first]["exploratory"] or facts[second]["exploratory"]
        pairs_of = {label: ((first, second),)}
        found.append(Effect(PAIR, " vs ".join(arms), first, second, pairs_of, exploratory=late))
    return found


def named_effects(cells: pl.DataFrame) -> list[Effect]:
    """Payoff, source and init effects of every arm, in the order of `cells`; exploratory cells take no part.

    Payoff: a source with an init minus scratch. Source effect: one source minus another, over the inits that a backbone
    has of both. Init effect: one init minus another, over the sources that a backbone has with both.
    """
    planned = cells.filter(~pl.col("exploratory"))
    return [
        effect
        for (arm,), part in planned.partition_by("arm", as_dict=True, maintain_order=True).items()
        for effect in _of_arm(str(arm), part)
    ]


def _of_arm(arm: str, cells: pl.DataFrame) -> Iterator[Effect]:
    known: _Cells = {row[:3]: row[3] for row in cells.select("backbone", "pretraining", "init", "cell").iter_rows()}
    pretrained = [key for key in known if key[2] != SCRATCH]
    sources = _names(key[1] for key in pretrained)
    inits = [init for init in INITIALIZATIONS if init in {key[2] for key in pretrained}]
    for source in sources:
        for init in inits:
            yield from _payoff(arm, known, source, init)
    for first, second in combinations(sources, 2):
        sides = [((first, init), (second, init)) for init in inits]
        yield from _effect(SOURCE, arm, known, (first, second), sides)
    for one, other in combinations(inits, 2):
        sides = [((source, one), (source, other)) for source in sources]
        yield from _effect(INIT, arm, known, (one, other), sides)


def _payoff(arm: str, known: _Cells, source: str, init: str) -> Iterator[Effect]:
    scratch = {key[0]: key[1:] for key in known if key[2] == SCRATCH}
    if scratch:
        side = ((source, init), next(iter(scratch.values())))
        yield from _effect(PAYOFF, arm, known, (f"{source}-{init}", SCRATCH), [side])


def _effect(
    kind: str,
    arm: str,
    known: _Cells,
    names: Pair,
    sides: list[tuple[tuple[str, str], tuple[str, str]]],
) -> Iterator[Effect]:
    backbones = _names(key[0] for key in known)
    pairs = {
        backbone: tuple(
            (known[backbone, *first], known[backbone, *second])
            for first, second in sides
            if (backbone, *first) in known and (backbone, *second) in known
        )
        for backbone in backbones
    }
    kept = {backbone: found for backbone, found in pairs.items() if found}
    if kept:
        yield Effect(kind, arm, *names, kept, tuple(backbone for backbone in backbones if backbone not in kept))


def _names(values: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(values))
