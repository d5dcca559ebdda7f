"""The files of a YOLO folder: the names of its classes, and a text file of objects for each image."""
