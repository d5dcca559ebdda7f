"""What an operator may decide: the server's settings and the settings.json beside a model's weights.

Imports pydantic and the standard library only.
"""
