"""What a worker of TorchServe does with a batch of requests."""

import json

import torch
from ts.torch_handler.base_handler import BaseHandler

WHY = "images have shape (n, 8, 8)"


class Handler(BaseHandler):
    """From {"instances": [images]} to {"predictions": [scores]}."""

    def preprocess(self, requests):
        """All images of the batch in one tensor; of a bad request none."""
        self.images = []
        for request in requests:
            try:
                body = request["body"]
                if isinstance(body, bytes | bytearray):  # as gRPC has it
                    body = json.loads(body)
                images = torch.tensor(body["instances"], dtype=torch.float)
            except Exception:  # whatever a client may send
                images = torch.empty(0)
            good = images.shape[1:] == (8, 8)
            self.images.append(images if good else torch.empty(0, 8, 8))
        return torch.cat(self.images)

    def postprocess(self, scores):
        """An answer to each request."""
        answers = []
        parts = scores.split([len(images) for images in self.images])
        for i, part in enumerate(parts):
            answers.append({"predictions": part.tolist()})
            if not len(part):
                answers[i] = {"error": WHY}
                self.context.set_response_status(400, WHY, idx=i)
        return answers
