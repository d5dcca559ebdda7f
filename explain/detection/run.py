"""The entry points of explaining boxes: an image with objects, and what is asked of it -> a run, or its result."""

from collections.abc import Sequence

from explain.catalog import algorithm
from explain.detection.executor import DetectorExecutor
from explain.detection.steps import DetectorSteps, ObjectExplanation
from explain.network.explained_image import OutOfTime, no_time_limit
from explain.request.parameters import ExplanationParameters
from explain.run import ExplanationRun, finished
from models.images.model_input import DecodedImage
from models.labels import Label


def begin_boxes(
    executor: DetectorExecutor,
    image: DecodedImage,
    labels: Sequence[Label],
    parameters: ExplanationParameters,
    out_of_time: OutOfTime = no_time_limit,
) -> ExplanationRun:
    """Begin to explain boxes of a decoded image, by parameters for detectors. Errors are those of DetectorSteps."""
    chosen = algorithm(parameters.algorithm)
    return ExplanationRun(DetectorSteps(executor, image, labels, chosen, parameters, out_of_time).run())


def explain_boxes(
    executor: DetectorExecutor,
    image: DecodedImage,
    labels: Sequence[Label],
    parameters: ExplanationParameters,
    *,
    batch_size: int = 1,
) -> ObjectExplanation:
    """Explain boxes at once, in batches of `batch_size` rows. Arguments and errors are those of `begin_boxes`."""
    run = begin_boxes(executor, image, labels, parameters)
    explanation: ObjectExplanation = finished(run, executor.run, batch_size)
    return explanation
