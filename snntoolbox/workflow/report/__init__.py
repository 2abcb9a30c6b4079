"""What a run tells the user: metrics, operations, tables, plots and files."""
