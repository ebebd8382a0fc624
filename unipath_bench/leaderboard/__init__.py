"""Leaderboards: submissions as data, boards as data, ranks by paired intervals, a static site."""

from unipath_bench.leaderboard.boards import find_board, load_board, load_entries, load_entry
from unipath_bench.leaderboard.ranking import rank_board, rank_entries

__all__ = ["find_board", "load_board", "load_entries", "load_entry", "rank_board", "rank_entries"]
