"""What recipes of classifiers share: labels as targets, losses, batches, evaluation."""
