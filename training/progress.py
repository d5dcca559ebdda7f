"""The progress of training is shown as that of checking data is."""

from data.progress import ProgressBar, ProgressReport

__all__ = ["ProgressBar", "ProgressReport"]
