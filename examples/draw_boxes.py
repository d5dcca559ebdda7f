"""Draw the boxes and polygons of a `/score` reply over its image.

python examples/draw_boxes.py PICTURE REPLY.json OUTPUT.png
curl ... | python -m examples.draw_boxes PICTURE - OUTPUT.png
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from PIL import Image, ImageChops, ImageDraw, ImageFont

Colour: TypeAlias = tuple[int, int, int]

_COLOURS: tuple[Colour, ...] = (
    (230, 57, 70),
    (29, 120, 220),
    (42, 157, 80),
    (244, 140, 6),
    (142, 68, 200),
    (0, 150, 160),
)
_EDGES = ("topX", "topY", "bottomX", "bottomY")
_HALF = 128


class ReplyError(Exception):
    """The reply is not that of a detector for one image; the message says what it is instead."""


@dataclass(frozen=True, slots=True)
class DetectedObject:
    """One object of a reply.

    box: left, top, right, bottom; polygon: contours x, y, x, y, ...; all in shares of the image, [0, 1].
    score: in [0, 1].
    """

    box: tuple[float, float, float, float]
    label: str
    score: float
    polygon: tuple[tuple[float, ...], ...] = ()


def read_reply(text: str) -> list[DetectedObject]:
    """Read the reply for one image, of either version of the contract; ReplyError where it is something else."""
    try:
        reply = json.loads(text)
    except ValueError:
        raise ReplyError(f"The reply is not JSON; it starts with {text[:40]!r}.") from None
    if isinstance(reply, list):
        if len(reply) != 1:
            raise ReplyError(f"The reply is about {len(reply)} images. Score one image and draw its reply.")
        reply = reply[0]
    if not isinstance(reply, dict) or not isinstance(reply.get("boxes"), list):
        raise ReplyError(f"The reply has no list of boxes but {_outline(reply)}. Is the model a detection model?")
    return [_object(entry) for entry in reply["boxes"]]


def _outline(value: object) -> str:
    return f"the keys {', '.join(value) or '(none)'}" if isinstance(value, dict) else json.dumps(value)[:40]


def _object(entry: Any) -> DetectedObject:
    try:
        left, top, right, bottom = (float(entry["box"][edge]) for edge in _EDGES)
        polygon = tuple(tuple(float(number) for number in contour) for contour in entry.get("polygon", ()))
        return DetectedObject((left, top, right, bottom), str(entry["label"]), float(entry["score"]), polygon)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        wanted = '{"box": {"topX", "topY", "bottomX", "bottomY"}, "label", "score"}'
        raise ReplyError(f"A box is {json.dumps(entry)[:120]}; expected {wanted} ({error!r}).") from None


def draw_boxes(image: Image.Image, objects: Sequence[DetectedObject]) -> Image.Image:
    """Return a copy of the image, mode RGB, with all objects drawn over it, the best one last."""
    drawn = image.convert("RGB")
    colours = _colours(objects)
    ordered = sorted(objects, key=lambda one: one.score)
    for one in ordered:
        _fill(drawn, one, colours[one.label])
    for one in ordered:
        _frame(drawn, one, colours[one.label])
    return drawn


def _colours(objects: Sequence[DetectedObject]) -> Mapping[str, Colour]:
    labels = sorted({one.label for one in objects})
    return {label: _COLOURS[index % len(_COLOURS)] for index, label in enumerate(labels)}


def _fill(drawn: Image.Image, one: DetectedObject, colour: Colour) -> None:
    """Tint the inside of the polygon, if any. A contour inside another one is a hole: the even-odd rule."""
    inside = Image.new("1", drawn.size)
    for contour in one.polygon:
        points = [(x * drawn.width, y * drawn.height) for x, y in zip(contour[::2], contour[1::2], strict=False)]
        if len(points) >= 3:
            part = Image.new("1", drawn.size)
            ImageDraw.Draw(part).polygon(points, fill=1)
            inside = ImageChops.logical_xor(inside, part)
    drawn.paste(colour, mask=inside.convert("L").point(lambda level: _HALF if level else 0))


def _frame(drawn: Image.Image, one: DetectedObject, colour: Colour) -> None:
    draw = ImageDraw.Draw(drawn)
    unit = min(drawn.size)
    width, height = drawn.size
    left, right = (min(max(edge * width, 0.0), width - 1.0) for edge in one.box[::2])
    top, bottom = (min(max(edge * height, 0.0), height - 1.0) for edge in one.box[1::2])
    draw.rectangle((left, top, max(left, right), max(top, bottom)), outline=colour, width=max(1, unit // 160))
    text, font = f"{one.label} {one.score:.2f}", ImageFont.load_default(max(10, unit // 28))
    extent = draw.textbbox((0, 0), text, font=font)
    # Above the box where there is room, else inside it
    tall = extent[3] + 2
    place = (min(left, max(width - extent[2] - 4, 0.0)), top - tall if top >= tall else top)
    draw.rectangle((*place, place[0] + extent[2] + 4, place[1] + tall), fill=colour)
    draw.text((place[0] + 2, place[1]), text, fill="white", font=font)


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit code: 0, or 1 where a file cannot be read or is not such a reply."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("image", type=Path, metavar="IMAGE", help="the image that was scored")
    parser.add_argument("reply", metavar="REPLY", help="a file with the reply of /score, - for standard input")
    parser.add_argument("output", type=Path, metavar="OUTPUT", help="where to write, such as out.png")
    options = parser.parse_args(arguments)
    try:
        text = sys.stdin.read() if options.reply == "-" else Path(options.reply).read_text()
        objects = read_reply(text)
        with Image.open(options.image) as image:
            draw_boxes(image, objects).save(options.output)
    except (ReplyError, OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{options.output}: {len(objects)} object{'' if len(objects) == 1 else 's'}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
