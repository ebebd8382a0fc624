"""From features to task outcomes: the registered metrics, their floors and ceilings, and the tasks' YAML files."""
