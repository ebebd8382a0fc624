"""Leaderboards: submissions as data, boards as data, ranks by paired intervals, a static site."""
