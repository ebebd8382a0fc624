"""Classifiers on frozen features: a linear probe, nearest neighbours and a small fine-tuned head.

:func:`~unipath_bench.scoring.classifiers.choosing.recipe_of` reads a task's parameter ``classifier``;
:mod:`~unipath_bench.scoring.classifiers.training` settles a recipe, trains it and calibrates it.
"""
