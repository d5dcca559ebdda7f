"""The process that owns a device. It handles images and predictions, never HTTP."""
