"""The first frame of a WebP file, in less memory than Pillow takes for an animation."""

from PIL import WebPImagePlugin


class WebPFirstFrame(WebPImagePlugin.WebPImageFile):
    """A WebP image of which only the first frame can be read.

    Pillow reads every WebP as an animation, with two canvases of 4 bytes a pixel that live as long as the image. They
    are given back as soon as the frame is copied out of them, so that decoding takes at most 12 bytes a pixel where
    it took 16.
    """

    def _get_next(self) -> tuple[bytes, int, int]:
        frame = super()._get_next()
        self._decoder = None
        return frame
