import numpy as np
import torch

from examples.fridge.labelled_scene import LabelledScene, draw_labelled_scene
from examples.fridge.training.stage import TrainingStage
from examples.fridge.yolo.augment import augment
from examples.fridge.yolo.detector import new_network, train
from tests.support.seeded_yolov5 import THIN


def test_augmented_boxes_lie_where_their_objects_are() -> None:
    scene = draw_labelled_scene((160, 120), 3)
    left, top, right, bottom = (int(edge) for edge in scene.boxes[0])
    marked = np.zeros_like(scene.image)
    marked[top:bottom, left:right] = 255
    plain = LabelledScene(marked, scene.labels[:1], scene.boxes[:1], scene.instance_map)
    rng, sides, seen = np.random.default_rng(0), set(), 0
    for _ in range(50):
        augmented = augment(rng, plain, 96)
        shown = augmented.image.min(2) > 180
        rows, columns = np.flatnonzero(shown.any(1)), np.flatnonzero(shown.any(0))
        for box in augmented.boxes:
            found = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
            assert np.abs(box - found).max() <= 1
            sides.add(round(float(box[2] - box[0])))
            seen += 1
    assert seen > 25
    assert len(sides) > 5


def test_training_lowers_the_loss_in_a_few_steps() -> None:
    torch.manual_seed(0)
    scenes = [draw_labelled_scene((128, 96), seed) for seed in range(4)]
    network = new_network(THIN)
    losses = train(network, np.random.default_rng(0), scenes, [TrainingStage(64, 80 * 8, 8, (5e-3, 5e-3))])
    assert len(losses) == 80
    assert np.mean(losses[-10:]) < 0.8 * np.mean(losses[:10])
    assert not network.training
