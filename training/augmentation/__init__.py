"""What is drawn at random from images, so that a network sees others each epoch."""
