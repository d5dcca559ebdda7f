"""Tables of faults, for pages about a data set."""

from collections import Counter
from collections.abc import Sequence

from data.drawing.html_page import escaped, table
from data.fault import Fault
from settings.excerpt import counted

_MOST_LISTED = 300  # faults


def fault_tables(faults: Sequence[Fault]) -> str:
    """Return a table of how often each fault occurs, and one of the first of them, line by line, as HTML."""
    counts = Counter((fault.fault, fault.done) for fault in faults)
    summary = table(
        ["fault", "how often", "what was done"],
        [
            [f'<code class="fault">{escaped(code)}</code>', f"{count:,}", escaped(done)]
            for (code, done), count in counts.most_common()
        ],
        numbers=[1],
    )
    rows = [
        [
            str(fault.line) if fault.line else "all",
            escaped(fault.image),
            f'<code class="fault">{escaped(fault.fault)}</code>',
            escaped(fault.detail),
            escaped(fault.done),
        ]
        for fault in faults[:_MOST_LISTED]
    ]
    listed = table(["line", "image", "fault", "detail", "what was done"], rows, numbers=[0])
    first = f"The first {_MOST_LISTED}" if len(faults) > _MOST_LISTED else "All"
    said = f"{first} of {counted(len(faults), 'fault')}"
    return f"{summary}<details><summary>{said}, line by line</summary>{listed}</details>"
