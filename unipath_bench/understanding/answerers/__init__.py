"""Answerers that need no adapter of your own."""
