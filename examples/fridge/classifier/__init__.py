"""The multiclass demo model."""
