"""The files of a Pascal VOC folder: an XML file an image, and masks as pictures of palette numbers."""
