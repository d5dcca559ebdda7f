"""The page of a data set: its labels, charts, faults and images, which can be filtered and sorted."""

from collections import Counter
from collections.abc import Mapping, Sequence

from PIL import Image

from data.drawing.colours import hexadecimal, label_colour
from data.drawing.fault_tables import fault_tables
from data.drawing.html_page import chip, document, embedded, escaped, facts, table
from data.drawing.shown_image import ShownImage
from data.drawing.statistics import DataStatistics
from data.drawing.vector_drawing import VectorDrawing
from data.fault import Fault
from models.labels import Label, named

_TASKS = {
    "multiclass": "one label an image",
    "multilabel": "labels of images",
    "detection": "boxes",
    "segmentation": "masks",
}
_SCRIPT = """
const grid=document.getElementById('images'),all=[...grid.children],label=document.getElementById('label'),
faulty=document.getElementById('faulty'),order=document.getElementById('order'),count=document.getElementById('count');
const orders={line:(a,b)=>a.dataset.line-b.dataset.line,name:(a,b)=>a.dataset.name.localeCompare(b.dataset.name),
most:(a,b)=>b.dataset.objects-a.dataset.objects,fewest:(a,b)=>a.dataset.objects-b.dataset.objects,
label:(a,b)=>parseInt(a.dataset.labels||1e9)-parseInt(b.dataset.labels||1e9)};
function update(){let shown=0;
for(const figure of all){
const fits=!label.value||figure.dataset.labels.split(' ').includes(label.value==='none'?'':label.value);
figure.hidden=!fits||faulty.checked&&!figure.classList.contains('faulty');shown+=!figure.hidden}
all.sort((a,b)=>orders[order.value](a,b)||orders.line(a,b));grid.append(...all);
count.textContent=shown+' of '+all.length+' images'}
for(const control of[label,faulty,order])control.onchange=update;
for(const button of document.querySelectorAll('button[data-label]'))button.onclick=()=>{
label.value=button.dataset.label;update();document.getElementById('controls').scrollIntoView({behavior:'smooth'})};
update();
"""


def data_page(
    title: str,
    statistics: DataStatistics,
    charts: Mapping[str, VectorDrawing],
    figures: Sequence[str],
    *,
    faults: Sequence[Fault],
    note: str,
) -> str:
    """Return the page; `figures` are those of `image_figure`, and `note` says which images they are of."""
    numbers = [
        (f"{statistics.image_count:,}", "images"),
        (f"{len(statistics.images):,}", "labels"),
        *([(f"{sum(statistics.objects.values()):,}", "objects")] if statistics.has_objects else []),
        *([(f"{statistics.backgrounds:,}", "without any label")] if statistics.task != "multiclass" else []),
        (f"{len(faults):,}", "faults"),
        (statistics.task, _TASKS[statistics.task]),
    ]
    drawings = "".join(f"<div>{drawing.svg()}</div>" for name, drawing in charts.items() if name != "labels")
    body = (
        f"<h1>{escaped(title)}</h1>{facts(numbers)}"
        f"<h2>Labels</h2>{_label_table(statistics)}"
        + (f'<h2>In numbers</h2><div class="charts">{drawings}</div>' if drawings else "")
        + (f"<h2>Faults</h2>{fault_tables(faults)}" if faults else "")
        + f'<h2>Images</h2><p class="faint">{escaped(note)}</p>{_controls(statistics)}'
        f'<div class="images" id="images">{"".join(figures)}</div>'
    )
    return document(title, body, _SCRIPT)


def image_figure(shown: ShownImage, drawn: Image.Image | None, trouble: str, labels: Sequence[Label]) -> str:
    """Return an image with its name, labels and faults; `labels` are all of the data set, in the order of its page."""
    places = {label: place for place, label in enumerate(labels)}
    counts: Counter[Label] = Counter()
    if shown.image is not None:
        counts.update([*shown.image.labels, *(each.label for each in (*shown.image.objects, *shown.faulty))])
    known = sorted(places[label] for label in counts if label in places)
    attributes = (
        f'data-line="{shown.line}" data-name="{escaped(shown.name)}" data-objects="{sum(counts.values())}" '
        f'data-labels="{" ".join(map(str, known))}"'
    )
    picture = embedded(drawn, shown.name) if drawn is not None else f'<div class="missing">{escaped(trouble)}</div>'
    chips = "".join(
        chip(named(label) + (f" \u00d7{count}" if count > 1 else ""), label_colour(label))
        for label, count in counts.items()
    )
    sentences = "".join(
        f'<div class="fault"><b>{escaped(fault.fault)}</b> {escaped(fault.detail)} ({escaped(fault.done)})</div>'
        for fault in shown.faults
    )
    kind = ' class="faulty"' if shown.faults else ""
    caption = f'<span class="faint">{shown.line}</span> {escaped(shown.name)}<div>{chips}</div>{sentences}'
    return f"<figure{kind} {attributes}>{picture}<figcaption>{caption}</figcaption></figure>\n"


def _label_table(statistics: DataStatistics) -> str:
    if not statistics.images:
        return "<p>There are none.</p>"
    counts = statistics.objects if statistics.has_objects else statistics.images
    highest = max(counts.values())
    rows = []
    for place, (label, count) in enumerate(counts.items()):
        button = f'<button class="label" data-label="{place}">{chip(named(label), label_colour(label))}</button>'
        style = f"width:{300 * count / highest:.0f}px;background:{hexadecimal(label_colour(label))}"
        share = statistics.images[label] / max(statistics.image_count, 1)
        rows.append(
            [
                button,
                f"{statistics.images[label]:,}",
                *([f"{count:,}"] if statistics.has_objects else []),
                f"{share:.1%}",
                f'<div class="bar" style="{style}"></div>',
            ]
        )
    objects = ["objects"] if statistics.has_objects else []
    headers = ["label", "images", *objects, "of all images", ""]
    return table(headers, rows, numbers=range(1, len(headers) - 1))


def _controls(statistics: DataStatistics) -> str:
    options = "".join(
        f'<option value="{place}">{escaped(named(label))}</option>' for place, label in enumerate(statistics.images)
    )
    orders = "".join(
        f'<option value="{value}">{text}</option>'
        for value, text in (
            ("line", "as in the file"),
            ("name", "by name"),
            ("label", "by label"),
            ("most", "most objects first"),
            ("fewest", "fewest objects first"),
        )
    )
    return (
        '<div class="controls" id="controls"><label>Label <select id="label"><option value="">all</option>'
        f'<option value="none">none</option>{options}</select></label>'
        f'<label>Order <select id="order">{orders}</select></label>'
        '<label><input type="checkbox" id="faulty"> only with faults</label>'
        '<span class="faint" id="count"></span></div>'
    )
