"""Submissions: one archive of data a run, written by whoever ran the model and read as if it were hostile."""
