"""One file per wire contract. A protocol reads a body into pictures and writes predictions back; no more."""
