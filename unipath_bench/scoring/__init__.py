"""From features to task outcomes: the registered metrics, the ends of their scales, and the tasks' YAML files."""
