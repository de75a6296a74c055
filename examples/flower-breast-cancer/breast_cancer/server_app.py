"""The server: federated averaging, weighted by numbers of rows that it never learns, but for their sum."""

import numpy as np
from flwr.app import Context
from flwr.serverapp import Grid, ServerApp

from breast_cancer.task import N_FEATURES, rows_of_test
from vecphe.flower.server import encrypted_rounds

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    config = context.run_config
    shared = {"hospitals": config["hospitals"], "seed": config["seed"], "epochs": config["local-epochs"]}
    X, y = rows_of_test(int(config["seed"]))
    with encrypted_rounds(grid, context, [np.zeros((1, N_FEATURES)), np.zeros(1)]) as rounds:
        arrays = rounds.model
        for number in rounds.left(int(config["num-server-rounds"])):
            arrays = dict(zip(arrays, rounds.average(arrays, shared), strict=True))
            rounds.save(arrays)
            coefficients, intercept = arrays.values()
            accuracy = np.mean((X @ coefficients[0] + intercept[0] > 0) == y)
            print(f"round {number}: test accuracy {accuracy:.3f}", flush=True)
