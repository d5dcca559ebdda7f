"""The process that owns a device. It sees pictures and predictions, never HTTP."""
