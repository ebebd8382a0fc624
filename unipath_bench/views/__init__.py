"""What people see of a run: the terminal, the report, the comparison and MLflow."""
