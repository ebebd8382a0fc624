"""Sets of real images with prompts, labels and groups."""
