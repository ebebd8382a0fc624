"""Typed documents: cards, tasks, and the run record. Unknown keys are errors."""
