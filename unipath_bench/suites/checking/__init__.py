"""Looking at a suite before it is used: counts, sizes, scale, duplicates and leakage between splits."""
