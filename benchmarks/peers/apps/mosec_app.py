"""mosec as its documentation shows it: processes that decode, and one process that computes batches."""

from mosec import Server, Worker
from recipe import BATCH, CORES, Recipe


class Decoder(Worker):
    def __init__(self):
        self.recipe = Recipe(computes=False)

    def forward(self, data):
        return self.recipe.decode(data)


class Scorer(Worker):
    def __init__(self):
        self.recipe = Recipe()

    def forward(self, data):
        return [[row] for row in self.recipe.rows(data)]


if __name__ == "__main__":
    server = Server()
    server.append_worker(Decoder, num=CORES, timeout=600, route="/score")
    server.append_worker(Scorer, num=1, max_batch_size=BATCH, max_wait_time=5, timeout=600, route="/score")
    server.run()
