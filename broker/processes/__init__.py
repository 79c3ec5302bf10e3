"""One module per long-running process."""
