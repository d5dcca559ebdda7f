"""RetinaNet with a feature pyramid on a resnet50."""

from training.detection.torchvision_recipe import TorchvisionRecipe
from training.recipe import RecipeFamily

RECIPE = RecipeFamily(("retinanet_resnet50_fpn",), ("detection",), TorchvisionRecipe)
