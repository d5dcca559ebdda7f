"""Where the repository lies: the folder in which commands run and files are looked up."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
