"""A custom runtime of MLServer, in the one process that computes."""

from mlserver import MLModel
from mlserver.handlers import custom_handler
from recipe import Recipe
from starlette.concurrency import run_in_threadpool


class Scorer(MLModel):
    async def load(self) -> bool:
        self.recipe = Recipe()
        return True

    @custom_handler(rest_path="/score")
    async def score(self, body: dict) -> list:
        inputs = await run_in_threadpool(self.recipe.decode, body)
        return self.recipe.rows([inputs])
