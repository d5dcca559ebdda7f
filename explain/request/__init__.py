"""What a client may ask of an explanation: parameters, their defaults, and the labels to explain."""
