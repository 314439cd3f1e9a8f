"""The same network behind LitServe: `python lit.py PORT WEIGHTS BATCH`."""

import os
import sys

import litserve
import torch
from fastapi.responses import JSONResponse

from net import Digits


class API(litserve.LitAPI):
    """From {"instances": [images]} to {"predictions": [scores]}."""

    def setup(self, device):
        """Load the network, once for each worker."""
        torch.set_num_threads(1)
        self.net = Digits()
        self.net.load_state_dict(torch.load(sys.argv[2]))
        self.net.eval()

    def decode_request(self, request):
        """The images of a request; of a bad one none."""
        try:
            images = torch.tensor(request["instances"], dtype=torch.float)
        except Exception:  # whatever a client may send
            images = torch.empty(0)
        good = images.shape[1:] == (8, 8)
        return images if good else torch.empty(0, 8, 8)

    def batch(self, inputs):
        """All images of a batch in one tensor."""
        self.sizes = [len(images) for images in inputs]
        return torch.cat(inputs)

    @torch.inference_mode()
    def predict(self, images):
        """Their scores."""
        return self.net(images)

    def unbatch(self, scores):
        """Of each request its own."""
        return scores.split(self.sizes)

    def encode_response(self, scores):
        """What is sent. An exception would go to the whole batch."""
        if not len(scores):
            why = {"error": "images have shape (n, 8, 8)"}
            return JSONResponse(why, status_code=400)
        return {"predictions": scores.tolist()}


if __name__ == "__main__":
    path = "/v1/models/digits:predict"
    how = {"max_batch_size": int(sys.argv[3]), "batch_timeout": 0.002}
    api = API(api_path=path, **how)
    limits = {"accelerator": "cpu", "max_payload_size": 6_000_000}
    server = litserve.LitServer(api, **limits)
    where = {"host": os.environ.get("HOST", "127.0.0.1"), "port": int(sys.argv[1])}
    server.run(**where, generate_client_file=False)
