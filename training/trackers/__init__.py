"""Where the numbers of a run are sent, besides its own files: TensorBoard, MLflow."""
