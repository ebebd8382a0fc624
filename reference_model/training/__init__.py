"""Training of the reference model: the stages of one configuration."""
