"""Builds small model folders and folders of scripts."""
