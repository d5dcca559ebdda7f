"""Hosts a user's scoring script: its processes, the queue before them, and the door to it. No model is loaded here."""
