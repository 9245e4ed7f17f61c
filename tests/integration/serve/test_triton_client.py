"""tritonclient's HTTP client talks to the server as it is."""

import numpy as np
import pytest
import tritonclient.http as triton
from sklearn.datasets import load_iris
from tritonclient.utils import InferenceServerException


@pytest.fixture
def client(server):
    with triton.InferenceServerClient(f"127.0.0.1:{server.port}") as opened:
        yield opened


def test_health_and_metadata(client):
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("iris")
    assert client.is_model_ready("iris", "v3")
    assert not client.is_model_ready("iris", "v4")
    assert client.get_server_metadata()["name"] == "moorage"
    metadata = client.get_model_metadata("iris")
    assert metadata["versions"] == ["v3"]
    assert metadata["inputs"][0] == {"name": "sepal length (cm)", "datatype": "FP64", "shape": [-1]}
    assert client.get_model_repository_index()[0]["state"] == "READY"


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("datatype", ["FP64", "FP32"])
def test_infer_a_matrix(client, binary, datatype):
    rows, labels = load_iris(return_X_y=True)
    tensor = triton.InferInput("input-0", list(rows.shape), datatype)
    tensor.set_data_from_numpy(
        rows.astype({"FP64": np.float64, "FP32": np.float32}[datatype]), binary_data=binary
    )
    outputs = [triton.InferRequestedOutput(name, binary_data=binary) for name in ("predict", "predict_proba")]
    result = client.infer("iris", [tensor], model_version="v3", outputs=outputs, request_id="r7")
    assert result.get_response()["id"] == "r7"
    assert (result.as_numpy("predict") == labels).mean() > 0.95
    assert np.allclose(result.as_numpy("predict_proba").sum(axis=1), 1)


def test_infer_columns_as_the_metadata_names_them(client):
    rows, labels = load_iris(return_X_y=True)
    tensors = []
    for number, described in enumerate(client.get_model_metadata("iris")["inputs"]):
        tensor = triton.InferInput(described["name"], [len(rows)], described["datatype"])
        tensor.set_data_from_numpy(np.ascontiguousarray(rows[:, number]))
        tensors.append(tensor)
    result = client.infer("iris", tensors)
    assert (result.as_numpy("predict") == labels).mean() > 0.95


def test_errors_reach_the_client_as_text(client):
    tensor = triton.InferInput("x", [1, 2], "FP64")
    tensor.set_data_from_numpy(np.zeros((1, 2)))
    with pytest.raises(InferenceServerException, match="2"):
        client.infer("iris", [tensor])
    with pytest.raises(InferenceServerException, match="no model 'nope'"):
        client.infer("nope", [tensor])
    with pytest.raises(InferenceServerException, match="ModelServing"):
        client.unload_model("iris")
