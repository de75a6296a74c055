"""A hospital: epochs of scikit-learn's SGDClassifier on its own rows, from the weights that the server sends."""

import numpy as np
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from sklearn.linear_model import SGDClassifier

from breast_cancer.task import rows_of
from vecphe.flower.client import paillier_mod

app = ClientApp(mods=[paillier_mod])


@app.train()
def train(message: Message, context: Context) -> Message:
    coefficients, intercept = message.content["arrays"].to_numpy_ndarrays()
    config = message.content["config"]
    X, y = rows_of(int(context.node_config["partition-id"]), int(config["hospitals"]), int(config["seed"]))
    model = SGDClassifier(loss="log_loss", learning_rate="constant", eta0=0.01, alpha=0.001)
    model.partial_fit(X[:1], y[:1], classes=np.array([0, 1]))  # makes the arrays that are set next
    model.coef_, model.intercept_ = coefficients.copy(), intercept.copy()
    for _ in range(int(config["epochs"])):
        model.partial_fit(X, y)
    arrays = ArrayRecord([model.coef_, model.intercept_])
    return Message(RecordDict({"arrays": arrays, "metrics": MetricRecord({"num-examples": len(y)})}), reply_to=message)
