"""Decides which job is decoded next and which jobs run together: pure state machines, to which the time is passed."""
