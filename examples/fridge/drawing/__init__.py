"""Draws objects, floors, walls and light."""
