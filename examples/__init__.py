"""Worked examples that come with Sightglass."""
