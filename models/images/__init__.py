"""From encoded bytes to the pixels that a network sees: decoding within limits, resizing, tiling; and lettering."""
