"""Pure numerics of the benchmark.

The functions take and return arrays; they do no input or output and know no models and nothing of the project.
Where to find what:

* values: :mod:`frechet`, :mod:`kernel` (KID, CMMD), :mod:`manifold` (precision, recall, density, coverage),
  :mod:`alignment`, :mod:`retrieval`, :mod:`classification`, :mod:`memorisation`, :mod:`likelihood`,
  :mod:`extrapolation` (FID at infinity); as torchmetrics classes in :mod:`torchmetrics`;
* intervals: :mod:`estimate` (what may be printed), :mod:`unit_uncertainty`, :mod:`frechet_uncertainty`,
  :mod:`kernel_uncertainty`; which rows are one patient: :mod:`units`;
* differences of two runs and their p-values: :mod:`paired`, :mod:`paired_sets`; Holm's correction in :mod:`estimate`.

Import the modules by name: ``from unipath_bench.metrics.frechet import frechet_distance``.
"""
