"""Families of failures, each file a `FAMILY`. A new file is run without any other change."""
