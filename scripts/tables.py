"""Write the generated tables into docs/, from the code that they describe."""

import os
import re
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from types import MappingProxyType

import torch
from fastapi.routing import APIRoute
from prometheus_client.metrics import MetricWrapperBase

from data.checks.catalog import faults_table
from explain.catalog import algorithm, algorithm_summary
from explain.request.describe import ALGORITHMS, colour_maps_table, hosted_table, parameters_table, visualizations_table
from explain.request.parameters import read_parameters
from models.architecture.architecture import ClassifierArchitecture, DetectorArchitecture
from models.architecture.catalog import architecture, architecture_names
from scripts.comparison import peers_table
from scripts.compatibility import differences_table, not_applicable_table, same_table
from scripts.reliability import better_elsewhere_table, failures_beside_peers_table, failures_table
from server.api.app import create_routers
from server.errors import ERRORS
from server.metrics import Metrics, ServiceState
from server.process_metrics import ProcessMetrics
from settings.describe import model_settings_table, server_settings_table
from settings.model import (
    ClassificationSettings,
    DetectionSettings,
    ModelSettings,
    QueryDetectionSettings,
    QuerySegmentationSettings,
    SegmentationSettings,
    YoloSettings,
)
from training.hyperparameters.describe import defaults_by_model_table, hyperparameters_table, unused_table

DOCS = Path(__file__).parent.parent / "docs"
_OBJECTS = 80  # labels, as detectors are usually compared
_DETECTORS: Mapping[str, type[ModelSettings]] = MappingProxyType(
    {
        "Faster R-CNN, RetinaNet": DetectionSettings,
        "Mask R-CNN": SegmentationSettings,
        "yolov5": YoloSettings,
        "detectors of transformers": QueryDetectionSettings,
        "Mask2Former, MaskFormer": QuerySegmentationSettings,
    }
)
_BLOCK = re.compile(r"(<!-- generated: (.+?) -->\n).*?(<!-- end -->)", re.DOTALL)


def tables() -> Mapping[str, Callable[[], str]]:
    """Return for each table's name the function that makes it."""
    return {
        "server settings": server_settings_table,
        "errors": _errors,
        "endpoints": _endpoints,
        "metrics": _metrics,
        "architectures": _architectures,
        "algorithms": _algorithms,
        "explanation parameters": parameters_table,
        "azureml compatibility": hosted_table,
        "visualizations": visualizations_table,
        "colour maps": colour_maps_table,
        "peers": peers_table,
        "failures": failures_table,
        "failures beside peers": failures_beside_peers_table,
        "better elsewhere": better_elsewhere_table,
        "differences": differences_table,
        "same": same_table,
        "not applicable": not_applicable_table,
        "settings of classifiers": lambda: model_settings_table({"default": ClassificationSettings}),
        "settings of detectors": lambda: model_settings_table(_DETECTORS),
        "faults of data": faults_table,
        "hyperparameters": hyperparameters_table,
        "hyperparameters by model": defaults_by_model_table,
        "hyperparameters without effect": unused_table,
    }


def filled(text: str) -> str:
    """Return a page with all generated blocks replaced; KeyError for a block without a table."""
    known = tables()
    return _BLOCK.sub(lambda block: f"{block[1]}{known[block[2]]()}\n{block[3]}", text)


def _errors() -> str:
    rows = [f"| `{code}` | {status} | {meaning} |" for code, (status, meaning) in ERRORS.items()]
    return "\n".join(["| code | status | meaning |", "|---|---|---|", *rows])


def _endpoints() -> str:
    routes = [
        route
        for router in create_routers()
        for route in router.routes
        if isinstance(route, APIRoute) and route.include_in_schema
    ]
    rows = [f"| `{'/'.join(sorted(route.methods or ()))} {route.path}` | {_summary(route)} |" for route in routes]
    extra = [
        "| `GET /docs` | The API, to read and to try. |",
        "| `GET /openapi.json` | The same for programs. |",
        "| `GET /ui` | [The page](page.md), to score and explain images in a browser. |",
    ]
    return "\n".join(["| endpoint | answer |", "|---|---|", *rows, *extra])


def _summary(route: APIRoute) -> str:
    return route.summary or (route.endpoint.__doc__ or "").splitlines()[0]


def _metrics() -> str:
    found = [metric for metric in vars(Metrics()).values() if isinstance(metric, MetricWrapperBase)]
    described = [(family, tuple(metric._labelnames)) for metric in found for family in metric.describe()]
    for collector in (ServiceState(True, {"any": True}), ProcessMetrics(os.getpid())):
        described += [(family, tuple(family.samples[0].labels)) for family in collector.collect()]
    rows = []
    for family, names in described:
        suffix = "_total" if family.type == "counter" else ""
        labels = ", ".join(names) or "-"
        rows.append(f"| `{family.name}{suffix}` | {family.type} | {labels} | {family.documentation} |")
    return "\n".join(["| metric | type | labels | meaning |", "|---|---|---|---|", *rows])


def _architectures() -> str:
    rows = []
    for name in sorted(architecture_names(), key=lambda name: ("*" in name or "/" in name, name)):
        if name.startswith("transformers/"):
            rows.append(
                f"| `{name.replace('*', 'NAME')}` | as its folder says | [as it says](huggingface.md) | by kind |"
            )
            continue
        if name.endswith("*"):
            library = name.replace("*", "NAME")
            rows.append(f"| `{library}` | multiclass or multilabel | what that library builds by this name | - |")
            continue
        family = architecture(name)
        classes = 1000
        if isinstance(family, DetectorArchitecture):
            classes = _OBJECTS + int(family.background)
        with torch.device("meta"):  # its parameters are only counted
            network = family.build(classes, family.settings())
        millions = sum(parameter.numel() for parameter in network.parameters()) / 1e6
        layer = f"`{family.cam_layer(network).name}`" if isinstance(family, ClassifierArchitecture) else "-"
        rows.append(f"| `{name}` | {' or '.join(family.tasks)} | {millions:.1f} M | {layer} |")
    head = "| name | for | parameters (with 1000 labels, detectors with 80) | layer for Grad-CAM |"
    return "\n".join([head, "|---|---|---|---|", *rows])


def _algorithms() -> str:
    rows = []
    for name in ALGORITHMS:
        paper = re.search(
            r"https://(?:arxiv\.org/abs|doi\.org/10\.\d+)/([\w.]+\d)",
            import_module(f"explain.algorithms.{name}").__doc__ or "",
        )
        assert paper is not None, f"explain/algorithms/{name}.py names no paper"
        ours, hosted = (
            algorithm(name).passes(read_parameters({"xai_algorithm": name} | more), 1).most
            for more in ({}, {"compatibility": "azureml"})
        )
        like_hosted = hosted if "classifier" in algorithm(name).explains else "-"
        rows.append(f"| `{name}` | {algorithm_summary(name)} | [{paper[1]}]({paper[0]}) | {ours} | {like_hosted} |")
    head = "| algorithm | in a sentence | paper | passes, at most | with `azureml` |"
    return "\n".join([head, "|---|---|---|---|---|", *rows])


if __name__ == "__main__":
    for page in sorted(DOCS.glob("*.md")):
        page.write_text(filled(page.read_text()))
