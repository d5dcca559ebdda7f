"""What image files are made of: the parts that hold pixels, and the orientation among the metadata."""
