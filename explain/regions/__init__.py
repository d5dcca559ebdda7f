"""The regions of XRAI: cutting an image into segments, and ranking them by the attribution they hold."""
