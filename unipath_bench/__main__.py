"""``python -m unipath_bench``."""

from unipath_bench.cli import main

main()
