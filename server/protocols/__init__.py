"""One file per wire protocol, which reads images from a body and writes predictions back; no more."""
