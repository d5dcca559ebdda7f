"""Ray Serve as its documentation shows it, with batches."""

import asyncio
import sys

from ray import serve
from recipe import BATCH, Recipe
from starlette.requests import Request


@serve.deployment(max_ongoing_requests=64, ray_actor_options={"num_cpus": 1})
class Scorer:
    def __init__(self):
        self.recipe = Recipe()

    @serve.batch(max_batch_size=BATCH, batch_wait_timeout_s=0.005)
    async def rows(self, inputs):
        return await asyncio.to_thread(self.recipe.rows, inputs)

    async def __call__(self, request: Request):
        body = await request.json()
        return [await self.rows(await asyncio.to_thread(self.recipe.decode, body))]


if __name__ == "__main__":
    serve.start(http_options={"port": int(sys.argv[1]), "host": "127.0.0.1"})
    serve.run(Scorer.bind(), route_prefix="/score", blocking=True)
