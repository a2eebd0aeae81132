"""Judging: attribution, timeline, regimes, verdicts, coverage. Pure over the rows of a recording."""
