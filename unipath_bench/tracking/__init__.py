"""Runs in MLflow. MLflow itself is imported when a run is logged, not before."""

from unipath_bench.tracking.mlflow import ATTRIBUTES, EXPERIMENT, GRID, log_run
from unipath_bench.tracking.server import serve

__all__ = ["ATTRIBUTES", "EXPERIMENT", "GRID", "log_run", "serve"]
