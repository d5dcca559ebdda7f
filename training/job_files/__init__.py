"""Job files as users of the hosted service have them: their text, its two spellings, and search spaces in them."""
