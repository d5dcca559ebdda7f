"""The entry script of azureml-inference-server-http."""

import json

from recipe import Recipe


def init():
    global recipe  # noqa: PLW0603 - what the server calls has nowhere else to keep it
    recipe = Recipe(batch=1)


def run(raw):
    return recipe.rows([recipe.decode(json.loads(raw))])
