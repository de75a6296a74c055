"""The server: gradient descent with the mean of all hospitals' gradients, of which it sees only the sum."""

import numpy as np
from flwr.app import Context
from flwr.serverapp import Grid, ServerApp

from vecphe.federated import get_data, mean_square_error
from vecphe.flower.server import encrypted_rounds

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    config = context.run_config
    shared = {"hospitals": config["hospitals"], "seed": config["seed"]}
    _, _, X_test, y_test = get_data(int(config["hospitals"]), int(config["seed"]))
    with encrypted_rounds(grid, context, [np.zeros(X_test.shape[1])]) as rounds:
        (weights,) = rounds.model.values()
        for number in rounds.left(int(config["num-server-rounds"])):
            (gradient,) = rounds.average([weights], shared)
            weights = weights - float(config["learning-rate"]) * gradient
            rounds.save([weights])
            print(f"round {number}: test MSE {mean_square_error(X_test @ weights, y_test):.2f}", flush=True)
