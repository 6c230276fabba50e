"""Tables in, frames out: the cells of a study, compared on every center with every statistic of the plan."""
