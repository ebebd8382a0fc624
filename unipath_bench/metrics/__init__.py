"""Pure numerics of the benchmark.

The functions take and return arrays; they do no input or output and know no models and nothing of the project.
Import the modules by name: ``from unipath_bench.metrics.frechet import frechet_distance``.
"""
