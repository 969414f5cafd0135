"""Tables in CSV files: rows with line numbers, folds, run-length codes."""
