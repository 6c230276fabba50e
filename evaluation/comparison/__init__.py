"""Tables in, frames out: the cells of a study, compared on every center with every statistic of the plan."""

from evaluation.comparison.comparing import CELLS, ROC, Comparison, compare

__all__ = ["CELLS", "ROC", "Comparison", "compare"]
