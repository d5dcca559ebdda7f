"""Tables of labelled images: which columns mean what, and their rows."""
