"""LitServe as its documentation shows it, with batches."""

import sys

import litserve
from recipe import BATCH, CORES, DEVICE, Recipe


class Api(litserve.LitAPI):
    def setup(self, device):
        self.recipe = Recipe()

    def decode_request(self, request):
        return self.recipe.decode(request)

    def batch(self, inputs):
        return inputs

    def predict(self, inputs):
        return self.recipe.rows(inputs)

    def unbatch(self, rows):
        return rows

    def encode_response(self, row):
        return [row]


if __name__ == "__main__":
    server = litserve.LitServer(
        Api(max_batch_size=BATCH, batch_timeout=0.005, api_path="/score"),
        accelerator=DEVICE,
        devices=1,
        # one process cannot decode for a GPU
        workers_per_device=max(1, CORES // 4) if DEVICE == "cuda" else 1,
        timeout=600,
    )
    server.run(port=int(sys.argv[1]), generate_client_file=False, log_level="warning")
