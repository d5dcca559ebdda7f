"""The page at /ui: its files, what it tells about the deployments, and the images that it offers to try."""
