"""Records a training in PyTorch: the original's, or a port's."""

STEPS = (1, 2, 10, 19, 100)


def named(net, tensors):
    """Weights or gradients by name: the GRU's by source and gate."""
    found = {}
    for (name, _), tensor in zip(net.named_parameters(), tensors, strict=True):
        if not name.startswith("gru"):
            found[name.replace("gate.gate", "gate")] = tensor
            continue
        source, kind = "input" if "_ih" in name else "state", name[4:].split("_")[0]
        for gate, part in zip("rzn", tensor.chunk(3), strict=True):
            found[f"gru.{source}.{gate}.{kind}"] = part
    return found


class Probe:
    """What a training loop calls, and what `evaluate`, which gives validation logits, is for."""

    def __init__(self, record, run, evaluate):
        self.record, self.run, self.logits = record, run, evaluate

    def tensors(self, kind, net, tensors, step):
        """Record one tensor for each parameter."""
        for name, value in named(net, tensors).items():
            self.record(f"{kind}/{self.run}/{name}", value, step=step)

    def evaluate(self, step, name="logits"):
        """Record the logits of the validation digits."""
        self.record(f"eval/{self.run}/{name}", self.logits(), step=step)

    def before(self, net):
        """Record the model as it starts."""
        self.tensors("w", net, net.parameters(), 0)
        self.evaluate(0)

    def after_step(self, net, step, images, logits, loss, gradients):
        """Record what a step has seen, and what it has made."""
        if step in (1, 19):
            self.record(f"batch/{self.run}/images", images, step=step)
        if step == 1:
            self.record(f"logits/{self.run}/training", logits, step=1)
            self.record(f"loss/{self.run}/training", loss, step=1)
            self.tensors("grad", net, gradients, 1)
        if step in STEPS:
            self.tensors("w", net, net.parameters(), step)
            self.record(f"stat/{self.run}/mean", net.norm.running_mean, step=step)
            self.record(f"stat/{self.run}/variance", net.norm.running_var, step=step)
            self.evaluate(step)

    def after_epoch(self, step, loss, balanced):
        """Record what the project reports."""
        self.record(f"loss/{self.run}/validation", loss, step=step)
        self.record(f"eval/{self.run}/balanced", balanced, step=step)
