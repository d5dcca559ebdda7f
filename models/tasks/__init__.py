"""One file per task, each with a constant TASK. Adding a task is adding a file."""
