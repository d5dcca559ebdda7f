"""Folders of images: what lies in them, and how images get into new ones."""
