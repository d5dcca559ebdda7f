"""Loads the model of an engine, and describes it to HTTP processes."""

import logging
from contextlib import AbstractContextManager, nullcontext

import torch

from explain.catalog import algorithm, algorithm_names, algorithm_summary
from explain.network.executor import Executor
from explain.request.parameter_types import Explained
from explain.request.parameters import read_parameters
from models.classifier import Classifier
from models.loaded import LoadedModel, load
from models.runtime.agreement import check_precision, precision_agreement
from models.runtime.precision import precisions
from server.cores import cpu_threads, usable_cores
from server.engine.device_lock import DeviceLock
from server.ipc.model_facts import AlgorithmFacts, ModelFacts
from server.ipc.process_config import ProcessConfig
from settings.model import ClassificationSettings

logger = logging.getLogger(__name__)


def load_model(config: ProcessConfig) -> LoadedModel:
    """Load the model folder of a process, on the device thread. Raises ModelError or SettingsError."""
    settings = config.settings
    torch.set_num_threads(cpu_threads(settings))
    precision = precisions(settings.precision)[0].name
    model = load(config.folder, device=config.device, precision=precision, strict=settings.strict_settings)
    if model.device.type != "cpu":
        # on a GPU, PyTorch's CPU threads only assemble batches; while they spin they would take cores from the decoders
        torch.set_num_threads(1)
    if (agreement := precision_agreement(model)) is not None:
        check_precision(agreement, settings.force_precision)
        logger.info("precision checked precision=%s: %s", precision, agreement)
    return model


def facts_of(model: LoadedModel) -> ModelFacts:
    """Return the facts of a model that HTTP processes need."""
    definition, settings = model.definition, model.definition.settings.values
    classifier = model if isinstance(model, Classifier) else None
    return ModelFacts(
        architecture=definition.architecture.name,
        task=definition.task.name,
        labels=definition.labels,
        sizes=tuple(definition.sizes().items()),
        signature=definition.signature,
        ranks_labels=isinstance(settings, ClassificationSettings) and settings.reply_format == "ranked",
        exif=definition.preprocess.statistics.exif if classifier else getattr(settings, "exif", False),
        score_threshold=getattr(settings, "box_score_thresh", None),
        per_request=settings.per_request,
        algorithms=_algorithms(model),
        device=str(model.device),
        runtime=model.runtime,
        precision=model.precision.name,
    )


def _algorithms(model: LoadedModel) -> tuple[AlgorithmFacts, ...]:
    """Return the algorithms that can explain a model: its network has the part that they read."""
    kind: Explained = "classifier" if isinstance(model, Classifier) else "detector"
    executor = Executor.for_model(model) if isinstance(model, Classifier) else None
    chosen = read_parameters(None).for_kind(kind).algorithm
    return tuple(
        AlgorithmFacts(
            name,
            algorithm_summary(name),
            algorithm(name).passes(read_parameters({"xai_algorithm": name}), 1).most,
            default=name == chosen,
        )
        for name in algorithm_names(kind)
        if executor is None or executor.has(algorithm(name).needs)
    )


def device_lock(config: ProcessConfig, model: LoadedModel) -> AbstractContextManager[object]:
    """Return the lock for engines that use all cores of a CPU. Others have cores of their own, and need none."""
    shared = model.device.type == "cpu" and cpu_threads(config.settings) >= usable_cores()
    return DeviceLock(config.lock_folder) if shared else nullcontext()
