"""Runs in MLflow. MLflow itself is imported when a run is opened or logged, not before."""

from unipath_bench.views.tracking.client import EXPERIMENT, default_tracking_uri
from unipath_bench.views.tracking.live import Evaluation, track
from unipath_bench.views.tracking.mlflow import ATTRIBUTES, GRID, log_run
from unipath_bench.views.tracking.server import serve

__all__ = ["ATTRIBUTES", "EXPERIMENT", "GRID", "Evaluation", "default_tracking_uri", "log_run", "serve", "track"]
