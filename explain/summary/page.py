"""The page of a summary: labels by suspicion, and for each what its images have in common and which are unlike."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from data.drawing.colours import label_colour
from data.drawing.fault_tables import fault_tables
from data.drawing.html_page import chip, document, escaped, facts, table
from data.fault import Fault
from explain.summary.box_shares import BoxShare
from explain.summary.label_summary import FEWEST, LabelSummary, MapCluster, MappedImage
from settings.excerpt import counted

_MOST_NAMED = 200  # images of a cluster
_HEADERS = (
    *("label", "images", "other label", "images in a place of its own", "of other labels, there"),
    *("maps alike", "inside boxes", "boxes' area"),
)
_INTRODUCTION = (
    "A label is suspicious where many of its maps lie in one place and those of other labels do not. Objects that move "
    "from image to image leave no such place; a watermark, a caption or the edge of a scanner does. So does an object "
    "that always stands in the same place: look at the images. Maps that are alike, with 1 for the same map twice, say "
    "the same of a whole label. Attribution inside boxes should be well above the share of the area that they take."
)


@dataclass(frozen=True, slots=True)
class SummaryFacts:
    """What the page says of the whole: its title, the numbers at its top, and sentences below them."""

    title: str
    numbers: Sequence[tuple[str, str]]
    notes: Sequence[str]


@dataclass(frozen=True, slots=True)
class LabelFigures:
    """Figures of a label, as HTML: its mean map, and for each cluster its mean map and examples."""

    mean: str
    clusters: Sequence[Sequence[str]]


def summary_page(
    about: SummaryFacts,
    labels: Sequence[LabelSummary],
    figures: Mapping[str, LabelFigures],
    faults: Sequence[Fault],
) -> str:
    """Return the page; `labels` are in the order to show, and those without `figures` are only in the table."""
    body = (
        f"<h1>{escaped(about.title)}</h1>{facts(about.numbers)}"
        + f"<h2>Labels</h2><p>{escaped(_INTRODUCTION)}</p>"
        + (f'<p class="faint">{escaped(" ".join(about.notes))}</p>' if about.notes else "")
        + _overview(labels, figures)
        + "".join(
            _section(number, label, figures[label.label])
            for number, label in enumerate(labels)
            if label.label in figures
        )
        + (f"<h2>Faults</h2>{fault_tables(faults)}" if faults else "")
    )
    return document(about.title, body)


def _overview(labels: Sequence[LabelSummary], figures: Mapping[str, LabelFigures]) -> str:
    rows = [_row(number, label, linked=label.label in figures) for number, label in enumerate(labels)]
    shown = [column for column in range(len(_HEADERS)) if any(row[column] != "" for row in rows)]
    cells = [[row[column] for column in shown] for row in rows]
    return table([_HEADERS[column] for column in shown], cells, numbers=range(1, len(shown)))


def _row(number: int, label: LabelSummary, *, linked: bool) -> list[str]:
    name = _chip(label.label)
    top = next((cluster for cluster in label.clusters if cluster.excess > 0), None)
    boxes = label.boxes
    few = f'<span class="faint">fewer than {FEWEST}</span>'
    return [
        f'<a href="#label-{number}">{name}</a>' if linked else name,
        f"{len(label.images) + label.empty:,}",
        "" if label.wrong is None else f"{label.wrong:,}",
        few if label.alike is None else f'<b class="fault">{top.here:.0%}</b>' if top else "none",
        f"{top.elsewhere:.0%}" if top and top.elsewhere is not None else "",
        "" if label.alike is None else f"{label.alike:.2f}",
        _inside(boxes) if boxes else "",
        f"{boxes.area:.0%}" if boxes else "",
    ]


def _inside(boxes: BoxShare) -> str:
    kind = ' class="fault"' if boxes.inside <= boxes.area else ""
    return f"<span{kind}>{boxes.inside:.0%}</span>"


def _chip(label: str) -> str:
    return chip(label if label.strip() else repr(label), label_colour(label))


def _section(number: int, label: LabelSummary, figures: LabelFigures) -> str:
    sentences = [f"{counted(len(label.images), 'image')} with a map."]
    if label.empty:
        sentences.append(f"Of {counted(label.empty, 'more image')} no place speaks for the label.")
    if label.alike is None:
        sentences.append(f"Fewer than {FEWEST} are too few to compare.")
    else:
        sentences.append(f"Two maps overlap by {label.alike:.2f} on average.")
    if label.boxes:
        count = sum(each.boxes is not None for each in label.images)
        sentences.append(f"In {counted(count, 'image')} with boxes, {_of_boxes(label.boxes)}.")
    body = f'<h2 id="label-{number}">{_chip(label.label)}</h2><p>{escaped(" ".join(sentences))}</p>'
    if not label.clusters:
        return f'{body}<div class="images small">{"".join(figures.clusters[0])}</div>{_names(label.images)}'
    shown = zip(label.clusters, figures.clusters, strict=False)
    inside = "".join(_cluster(cluster, drawn, label) for cluster, drawn in shown)
    if len(label.clusters) > len(figures.clusters):
        left = len(label.clusters) - len(figures.clusters)
        inside += f'<p class="faint">{counted(left, "smaller group")} not shown.</p>'
    if len(label.clusters) > 1:
        body += f'<div class="images small">{figures.mean}</div>'
    return body + inside


def _of_boxes(boxes: BoxShare) -> str:
    return f"{boxes.inside:.0%} of the attribution lies inside of them, and they take {boxes.area:.0%} of the area"


def _cluster(cluster: MapCluster, drawn: Sequence[str], label: LabelSummary) -> str:
    share = f"{len(cluster.images):,} of {counted(len(label.images), 'image')}"
    if cluster.excess > 0 and cluster.elsewhere is not None:
        title = f"A place of its own: {share}"
        sentence = (
            f"{cluster.here:.0%} of the maps of the label lie here, and {cluster.elsewhere:.0%} of those of other "
            "labels."
        )
    elif len(label.clusters) == 1:
        title, sentence = f"All {counted(len(label.images), 'image')}", "No place is the label's own."
    elif label.suspicion > 0:
        title, sentence = f"The others: {share}", "Their maps lie in no place of the label's own."
    else:
        title, sentence = f"Maps that are alike: {share}", ""
    if cluster.boxes and len(label.clusters) > 1:
        sentence += f" Where they have boxes, {_of_boxes(cluster.boxes)}."
    kind = ' class="fault"' if cluster.excess > 0 else ""
    return (
        f"<h3{kind}>{escaped(title)}</h3>"
        + (f"<p>{escaped(sentence.strip())}</p>" if sentence else "")
        + f'<div class="images small">{"".join(drawn)}</div>{_names(cluster.images)}'
    )


def _names(images: Sequence[MappedImage]) -> str:
    listed = "".join(f"<li>{escaped(each.image.name)}</li>" for each in images[:_MOST_NAMED])
    first = "" if len(images) <= _MOST_NAMED else f"The first {_MOST_NAMED} of "
    what = f"{first}{counted(len(images), 'image')}, the most usual first"
    return f"<details><summary>{escaped(what)}</summary><ol>{listed}</ol></details>"
