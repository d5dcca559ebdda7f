"""BentoML as its documentation shows it: one worker, whose threads compute one at a time."""

import threading

import bentoml
from recipe import Recipe


@bentoml.service(traffic={"timeout": 600, "concurrency": 64}, workers=1)
class Scorer:
    def __init__(self) -> None:
        self.recipe, self.lock = Recipe(batch=1), threading.Lock()

    @bentoml.api(route="/score")
    def score(self, input_data: dict) -> list:
        inputs = self.recipe.decode({"input_data": input_data})
        with self.lock:
            return self.recipe.rows([inputs])
