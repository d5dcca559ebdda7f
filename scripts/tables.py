"""Write the generated tables into docs/: everything a table lists is taken from the code it describes."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from fastapi.routing import APIRoute
from prometheus_client.metrics import MetricWrapperBase

from models.catalog import architecture, architecture_names
from server import health, score_route
from server.app import metrics_router
from server.errors import ERRORS
from server.metrics import Metrics
from settings.describe import model_settings_table, server_settings_table
from settings.model import SCHEMAS

DOCS = Path(__file__).parent.parent / "docs"
_BLOCK = re.compile(r"(<!-- generated: (.+?) -->\n).*?(<!-- end -->)", re.DOTALL)


def tables() -> Mapping[str, Callable[[], str]]:
    """Map each table's name to what writes it."""
    settings = {schema.__name__: lambda schema=schema: model_settings_table(schema) for schema in SCHEMAS}
    return {
        "server settings": server_settings_table,
        "errors": _errors,
        "endpoints": _endpoints,
        "metrics": _metrics,
        "architectures": _architectures,
        **settings,
    }


def filled(text: str) -> str:
    """Return a page with every generated block written anew; KeyError for a block that nothing writes."""
    known = tables()
    return _BLOCK.sub(lambda block: f"{block[1]}{known[block[2]]()}\n{block[3]}", text)


def _errors() -> str:
    rows = [f"| `{code}` | {status} | {meaning} |" for code, (status, meaning) in ERRORS.items()]
    return "\n".join(["| code | status | meaning |", "|---|---|---|", *rows])


def _endpoints() -> str:
    routes = [
        route
        for router in (score_route.router, health.router, metrics_router)
        for route in router.routes
        if isinstance(route, APIRoute) and route.include_in_schema
    ]
    rows = [
        f"| `{'/'.join(sorted(route.methods or ()))} {route.path}` | {(route.endpoint.__doc__ or '').splitlines()[0]} |"
        for route in routes
    ]
    extra = ["| `GET /docs` | The API, to read and to try. |", "| `GET /openapi.json` | The same for programs. |"]
    return "\n".join(["| endpoint | answer |", "|---|---|", *rows, *extra])


def _metrics() -> str:
    rows = []
    for metric in vars(Metrics()).values():
        assert isinstance(metric, MetricWrapperBase)
        (family,) = metric.describe()
        suffix = "_total" if family.type == "counter" else ""
        labels = ", ".join(metric._labelnames) or "-"
        rows.append(f"| `{family.name}{suffix}` | {family.type} | {labels} | {family.documentation} |")
    return "\n".join(["| metric | type | labels | meaning |", "|---|---|---|---|", *rows])


def _architectures() -> str:
    rows = []
    for name in sorted(architecture_names(), key=lambda name: ("*" in name, name)):
        if name.endswith("*"):
            rows.append(f"| `{name.replace('*', 'NAME')}` | what that library builds by this name | - |")
            continue
        found = architecture(name)
        network = found.build(1000, 224)
        millions = sum(parameter.numel() for parameter in network.parameters()) / 1e6
        rows.append(f"| `{name}` | {millions:.1f} M | `{found.cam_layer(network).name}` |")
    return "\n".join(["| name | parameters (1000 classes) | layer for Grad-CAM |", "|---|---|---|", *rows])


if __name__ == "__main__":
    for page in sorted(DOCS.glob("*.md")):
        page.write_text(filled(page.read_text()))
