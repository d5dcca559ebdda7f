"""Image files and metadata written by hand, in forms that no library writes, whose right reading is known."""
