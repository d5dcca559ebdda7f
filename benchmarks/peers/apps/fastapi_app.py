"""A fair FastAPI server: a pool of threads decodes images, and one thread computes."""

import json
from concurrent.futures import ThreadPoolExecutor

import uvicorn
from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from recipe import Recipe

app, recipe, device = FastAPI(), Recipe(batch=1), ThreadPoolExecutor(1)


@app.post("/score")
async def score(request: Request) -> JSONResponse:
    body = json.loads(await request.body())
    inputs = await run_in_threadpool(recipe.decode, body)
    rows = await run_in_threadpool(lambda: device.submit(recipe.rows, [inputs]).result())
    return JSONResponse(rows)


if __name__ == "__main__":
    import sys

    uvicorn.run(app, port=int(sys.argv[1]), log_level="warning")
