"""What may be wrong with labelled images: one file for each kind of fault, and what is done about it."""
