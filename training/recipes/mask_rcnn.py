"""Mask R-CNN with a feature pyramid on one of five ResNets."""

from models.networks.pyramid import RESNETS
from training.detection.torchvision_recipe import TorchvisionRecipe
from training.recipe import RecipeFamily

RECIPE = RecipeFamily(tuple(f"maskrcnn_{resnet}_fpn" for resnet in RESNETS), ("segmentation",), TorchvisionRecipe)
