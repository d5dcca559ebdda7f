"""Which job is decoded next, and which run together: pure state machines that are told the time."""
