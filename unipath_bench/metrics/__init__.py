"""Pure numerics of the benchmark: functions of arrays, with no input or output, no models and nothing of the
project.

Import the modules by name: ``from unipath_bench.metrics.frechet import frechet_distance``.
"""
