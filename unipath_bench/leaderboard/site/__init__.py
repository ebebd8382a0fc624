"""The static site of the leaderboards: one page a board, one an entry."""

from unipath_bench.leaderboard.site.build import build_site
from unipath_bench.leaderboard.site.content import SiteBoard, SiteEntry

__all__ = ["SiteBoard", "SiteEntry", "build_site"]
