"""The benchmark tested by the benchmark: known defects in known amounts, and what each metric makes of them.

:func:`~unipath_bench.audit.run.run_audit` takes a plan whose generator is held-out real tissue, damages its images and
its prompts by degrees (:mod:`~unipath_bench.audit.catalogue`), scores every level, and judges each value against what
it is declared to be for (:mod:`~unipath_bench.audit.expectations`).
"""
