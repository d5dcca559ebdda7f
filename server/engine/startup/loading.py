"""Loads the model of an engine, and says what HTTP processes have to know of it."""

import logging
from contextlib import AbstractContextManager, nullcontext

import torch

from models.loaded import LoadedModel, load
from models.runtime.agreement import check_precision, precision_agreement
from server.cores import cpu_threads, usable_cores
from server.engine.device_lock import DeviceLock
from server.ipc.model_facts import ModelFacts
from server.ipc.process_config import ProcessConfig

logger = logging.getLogger(__name__)


def load_model(config: ProcessConfig) -> LoadedModel:
    """Load the model folder of a process, on the thread that will compute; ModelError or SettingsError."""
    settings = config.settings
    torch.set_num_threads(cpu_threads(settings))
    model = load(config.folder, device=config.device, precision=settings.precision, strict=settings.strict_settings)
    if model.device.type != "cpu":
        # here PyTorch only puts batches together: threads that spin for more to do would keep cores from the decoders
        torch.set_num_threads(1)
    if (found := precision_agreement(model)) is not None:
        check_precision(found, settings.force_precision)
        logger.info("precision=%s: %s", settings.precision, found)
    return model


def facts_of(model: LoadedModel) -> ModelFacts:
    """Return what HTTP processes are told of a model."""
    found = model.definition
    sizes = tuple(found.sizes().items())
    return ModelFacts(found.architecture.name, found.task.name, found.labels, sizes, found.signature)


def device_lock(config: ProcessConfig, model: LoadedModel) -> AbstractContextManager[object]:
    """Return the lock of engines that use all cores, which must not compute at once; others have cores of their own."""
    shared = model.device.type == "cpu" and cpu_threads(config.settings) >= usable_cores()
    return DeviceLock(config.lock_folder) if shared else nullcontext()
