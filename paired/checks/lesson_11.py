"""Lesson 11, serving: the checks of its exercise.

No server is started. Requests and calls are answered here, in the same process, as TorchServe 0.12
was seen to answer and TensorFlow Serving is documented to: nothing waits, and nothing is left.
"""

import contextlib
import itertools
import json
import tempfile
from collections.abc import Callable
from types import SimpleNamespace
from unittest import mock

from paired.checks import adapters
from paired.checks.answers import Halves, Number, task
from paired.checks.judging import Wrong, call, compare, kind_of, refuse

import numpy as np
import requests

TRIES, POLLS = 5, 100
METRICS = "ts_inference_requests_total", "ts_inference_latency_microseconds"
SHAPES = (2, 64), (8, 8), (2, 8, 8, 1), (1, 1, 8, 8), (3, 7, 8), (2, 8, 9), (64,), (0,), ()
ERRORS = (  # another for each version
    "UNKNOWN", "INTERNAL", "UNAVAILABLE", "ABORTED", "CANCELLED", "DATA_LOSS", "UNIMPLEMENTED",
    "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
)  # fmt: skip


def bad_images(*values: float) -> dict[str, np.ndarray]:
    """Images to be refused, by what is wrong: the shape, or one of three images has a value."""
    bad = {f"shape {shape}": np.zeros(shape) for shape in SHAPES}
    for at, value in enumerate(values):
        bad[f"{value:g}"] = images = np.zeros((3, 8, 8))
        images[(at, *np.random.default_rng().integers(8, size=2))] = value
    return bad


class Server:
    """A server that serves its new version; the old one is in one of several states."""

    old, new = 1, 2

    def __init__(self, state: str) -> None:
        self.state, self.faults, self.proven, self.asked = state, [], False, 0

    def is_right(self, version) -> bool:
        """Whether a version answers the known question rightly, at its own address."""
        self.step()
        right = self.serves(version) and (version == self.new or self.state != "wrong")
        self.proven |= version == self.old and right
        return right

    def step(self) -> None:
        """Let time pass: calls are the clock."""
        self.asked += 1
        if self.asked > POLLS:
            raise Wrong(f"After {POLLS} questions it still asks: what it waits for never comes.")


class PyTorch(adapters.PyTorch):
    """What the checks need besides of PyTorch."""

    addresses = ("/v1/models/digits:predict", "/predictions/digits"), "/predictions/digits/{}"
    version = "{}.0"
    skipped = "has answered quickly: `default` is no version, but who was asked for none."
    states = {  # noqa: RUF012 - never changed
        "new": "Version 1.0 is well.",
        "idle": "Version 1.0 is registered, and has no worker.",
        "wrong": "Version 1.0 answers wrongly.",
        "broken": "Version 1.0 cannot be loaded.",
        "idle, broken": "Version 1.0 is registered, and cannot be loaded.",
    }

    def refuse_bad(self, handle: Callable) -> str:
        """Raise `Wrong` unless bad requests are refused, and the others answered."""
        import torch

        rng, good = np.random.default_rng(), []
        net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10))
        for i, n in enumerate(rng.permutation([1, 2, 3, 8])):
            images = torch.tensor(10.0 ** (4 * i) * rng.normal(size=(n, 8, 8)), dtype=torch.float)
            body = {"instances": images.tolist()}
            good.append(((body, json.dumps(body).encode())[i % 2], net(images)))
        values = bad_images(np.nan, -np.inf, 1e39).items()  # the last is infinity in float32
        bad = {what: ({"instances": images.tolist()}, None) for what, images in values}
        bad |= {"no JSON": (b"no JSON", None), "letters": ({"instances": [[["a"]]]}, None)}
        batches = {"all good": good, "all bad": [*bad.values()][:3]}
        batches |= {f"one with {what}": [*good[:2], one, *good[2:]] for what, one in bad.items()}
        mixed = [*good, *bad.values()]
        batches["mixed"] = [mixed[i] for i in rng.permutation(len(mixed))]
        for story, batch in batches.items():
            self.judge_batch(handle, net, batch, f"In a batch ({story}) ")
        return "A bad request hears why, and the others are answered by one run of the network."

    def judge_batch(self, handle: Callable, net, batch: list, story: str) -> None:
        """Raise `Wrong` unless each (body, scores or None) of a batch has its answer."""
        seen, statuses = [], {}

        def set_response_status(code=200, phrase="", idx=0) -> None:  # as TorchServe has it
            statuses[idx] = code, phrase

        context = SimpleNamespace(set_response_status=set_response_status)
        given = [{"body": body} for body, _ in batch]
        with net[0].register_forward_pre_hook(lambda _, x: seen.append(tuple(x[0].shape))):
            answers = call(handle, net=net, requests=given, context=context)
        good = {i: scores for i, (_, scores) in enumerate(batch) if scores is not None}
        rows, refused = sum(map(len, good.values())), {i for i in statuses if statuses[i][0] == 400}
        if not isinstance(answers, list) or len(answers) != len(batch):
            said = f"A batch of {len(batch)} must get a list of {len(batch)} answers; it gets "
            raise Wrong(f"{said}{kind_of(answers)}.")
        refuse({
            story + f"the network gets {seen}; {rows} images are good.": (
                sum(shape[0] for shape in seen) != rows or (seen and not rows)
            ),
            story + f"the network is run {len(seen)} times: once is enough.": len(seen) > 1,
            story + "a good request gets the status 400.": refused & {*good},
            story + "a bad request gets no status 400 by its `idx`.": (
                {*range(len(batch))} - {*good} - refused
            ),
            story + "a status has no words.": not all(statuses[i][1] for i in refused),
        })  # fmt: skip
        try:
            answers = json.loads(json.dumps(answers))
        except TypeError:
            raise Wrong("Answers must be what JSON can hold: lists, no tensors.") from None
        for i, answer in enumerate(answers):
            key = "predictions" if i in good else "error"
            if not isinstance(answer, dict) or set(answer) != {key} or not answer[key]:
                raise Wrong(f"{story}answer {i} must be a dict with something at {key!r} alone.")
            if i in good:
                expected = good[i].detach().double().numpy()
                compare(f"{story}answer {i}", answer[key], expected, relative=1e-4)

    @staticmethod
    def metrics(counts: dict, well: str, clients: int) -> dict[str, list[str]]:
        """The lines of each metric, from (requests, cost) of each (model, version)."""
        counts = counts | ({("digits", "default"): (clients, 1e6 * clients)} if clients else {})
        label = '{{model_name="{}",model_version="{}",hostname="vm",}} {}\n'
        return {
            name: [label.format(*key, float(pair[at])) for key, pair in counts.items()]
            for at, name in enumerate(METRICS)
        }

    class Server(Server):
        """TorchServe with version 2.0, the default, and its management API."""

        old, new = "1.0", "2.0"

        def __init__(self, state: str) -> None:
            super().__init__(state)
            self.default, self.waits = "2.0", {"2.0": 0}  # calls until its worker is there
            self.waits |= {"1.0": None} if "idle" in state else {}  # no worker comes
            self.given = {"admin": self.admin, "is_right": self.is_right}

        def step(self) -> None:
            super().step()
            if not self.serves(self.default):
                self.faults.append("The default version has no worker: clients hear 503.")
            if self.default == "1.0" and not self.proven:
                self.faults.append("1.0 is the default, and nobody has asked it before.")
            self.waits = {name: n and n - 1 for name, n in self.waits.items()}

        def serves(self, version) -> bool:
            return self.waits.get(version) == 0

        def served(self) -> tuple[object, list]:
            self.step()
            return self.default, sorted(self.waits)

        def admin(self, method: str, path: str = "", **params) -> requests.Response:
            """Answer a call of the management API."""
            self.step()
            model, version, action, *_ = [*filter(None, path.split("/")), "", "", ""]
            synchronous = str(params.get("synchronous")).lower() == "true"
            if method.upper() == "POST":
                if (params.get("url"), params.get("model_name")) != ("digits1.mar", "digits"):
                    return response(404)
                if "1.0" in self.waits:
                    return response(409)
                return self.scale("1.0", params.get("initial_workers", 0), synchronous)
            version = version or self.default
            if model != "digits" or version not in {*self.waits, "all"}:
                return response(404)
            if method.upper() == "GET":
                there = {v: n for v, n in self.waits.items() if version in (v, "all")}
                workers = {v: [{"status": "READY"}] * (n == 0) for v, n in there.items()}
                return response(200, [{"modelVersion": v, "workers": workers[v]} for v in there])
            if method.upper() == "DELETE":
                if version == self.default:
                    return response(403)
                del self.waits[version]
            elif action == "set-default":
                self.default = version
            else:
                return self.scale(version, params.get("min_worker", 1), synchronous)
            return response(200)

        def scale(self, version: str, workers, synchronous: bool) -> requests.Response:
            """Give a version workers, or take them; one that starts already is not waited for."""
            if int(workers) and "broken" in self.state and version == "1.0":
                return response(500)
            if not int(workers) or self.waits.get(version) is None:
                self.waits[version] = (0 if synchronous else 3) if int(workers) else None
            return response(200 if synchronous else 202)


class TensorFlow(adapters.TensorFlow):
    """The same of TensorFlow."""

    addresses = ("/v1/models/digits:predict",), "/v1/models/digits/versions/{}:predict"
    version = "digits-{}"
    skipped = "has more mistakes of clients, INVALID_ARGUMENT and NOT_FOUND, and fewer errors."
    states = {  # noqa: RUF012
        "slow": "Version 1 is well, and loads slowly.",
        "broken": "Version 1 cannot be loaded.",
        "wrong": "Version 1 answers wrongly.",
    }

    def refuse_bad(self, make_module: Callable) -> str:
        """Raise `Wrong` unless what is saved refuses bad images before the network."""
        import tensorflow as tf

        seen, weights = [], np.random.default_rng().normal(size=(64, 10)).astype("f")

        def scores(x, w):
            seen.append(x.shape)
            return x.reshape(-1, 64) @ w if x.shape[1:] == (8, 8) else w[:1]

        @tf.autograph.experimental.do_not_convert
        def run(x, **_):
            x = tf.numpy_function(scores, [x, net.w], tf.float32, stateful=False)
            return tf.ensure_shape(x, [None, 10])

        net = type("Net", (tf.Module,), {"__call__": lambda self, x, **_: run(x)})()
        net.w = tf.Variable(np.zeros_like(weights))
        module = call(make_module, net=net)
        net.w.assign(weights)  # a graph with copies of the variables does not hear of it
        serve = getattr(module, "serve", None)
        if not (isinstance(module, tf.Module) and hasattr(serve, "get_concrete_function")):
            raise Wrong("It must return a `tf.Module` whose `serve` is a `tf.function`.")
        with tempfile.TemporaryDirectory() as folder:
            with mock.patch.object(tf.get_logger(), "disabled", True):
                tf.saved_model.save(module, folder, signatures=serve)
            loaded = tf.saved_model.load(folder)
        nodes = serve.get_concrete_function().graph.get_operations()
        if any(node.type in ("PyFunc", "EagerPyFunc") for node in nodes):
            raise Wrong("There is Python in the graph, and none runs in TensorFlow Serving.")
        todo, before = [node for node in nodes if "PyFunc" in node.type], set()
        while todo:
            before.add(node := todo.pop())
            todo += ({each.op for each in node.inputs} | {*node.control_inputs}) - before
        guards = {node for node in nodes if "Assert" in node.name and node.type in ("Assert", "If")}
        if before and guards - before:
            said = "There is an assertion, and the network does not wait for it: both may run at "
            raise Wrong(said + "once. See `tf.control_dependencies`.")
        self.judge_signature(loaded.signatures["serving_default"], seen, weights)
        return "Bad images are refused in the graph, before they reach the network."

    def judge_signature(self, signature, seen: list, weights: np.ndarray) -> None:
        """Raise `Wrong` unless a loaded signature answers good images, and refuses others."""
        import tensorflow as tf

        given = signature.structured_input_signature[1].items()
        said = "; ".join(f"{name}, {spec.dtype.name}, {spec.shape}" for name, spec in given)
        wanted = "images, float32, (None, 8, 8)"
        if said != wanted:
            raise Wrong(f"The signature says to clients: {said}. It must say: {wanted}.")
        good = np.random.default_rng().normal(size=(5, 8, 8)).astype("f")
        for images in (good, 1e12 * good[:1]):
            result = signature(images=tf.constant(images))
            if set(result) != {"scores"}:
                raise Wrong(f"The one output must be `scores`; there is {sorted(result)}.")
            expected = images.reshape(-1, 64) @ weights
            compare("The output `scores`", result["scores"], expected, relative=1e-5)
        for what, images in bad_images(np.nan, -np.inf, np.inf).items():
            seen.clear()
            try:
                signature(images=tf.constant(images, tf.float32))
                did = "reach the network" if seen else "get an answer"
                raise Wrong(f"Images with {what} {did} in the SavedModel: no error is raised.")
            except tf.errors.InvalidArgumentError as error:
                silent = "shape" in what and "8,8" not in str(error).replace(" ", "")
            refuse({
                f"Images with {what} are refused after the network has run.": seen,
                f"Images with {what} are refused, and the error does not name (n, 8, 8).": silent,
            })  # fmt: skip

    @staticmethod
    def metrics(counts: dict, well: str, clients: int) -> dict[str, list[str]]:
        lines = []
        for (model, version), (n, cost) in counts.items():
            bad, name = int(cost) // 1000, version if model == "digits" else model
            statuses = {"OK": int(n) - bad, ERRORS[int(version[-1])]: bad}
            if name == well:
                statuses |= {"INVALID_ARGUMENT": clients, "NOT_FOUND": clients}
                statuses["OK"] -= clients * 17 // 20
            label = '{{model_name="{}",status="{}"}} {}\n'
            lines += [label.format(name, *each) for each in statuses.items() if each[1]]
        return {":tensorflow:serving:request_count": lines}

    class Server(Server):
        """TensorFlow Serving with version 2 loaded, and a folder of version 1."""

        def __init__(self, state: str) -> None:
            super().__init__(state)
            self.wanted, self.found = [2], {2: "AVAILABLE"}
            self.left = 4 if state == "slow" else 2  # calls until version 1 is loaded
            self.given = {"keep_versions": self.keep_versions, "states": self.states}
            self.given["is_right"] = self.is_right

        def step(self) -> None:
            super().step()
            if 1 in self.wanted and self.left:
                self.left -= 1
                end = "END" if self.state == "broken" else "AVAILABLE"
                if self.left < 3:
                    self.found[1] = "LOADING" if self.left else end
            if any(map(self.serves, self.wanted)):
                self.found = {v: state for v, state in self.found.items() if v in self.wanted}

        def serves(self, version) -> bool:
            return self.found.get(version) == "AVAILABLE"

        def keep_versions(self, *versions: int) -> None:
            """Set the policy."""
            if not all(isinstance(version, int) for version in versions):
                raise TypeError("as in keep_versions(1, 2)")
            self.wanted = list(versions)
            if 2 not in versions and not self.proven:
                self.faults.append("2 is to go, and nobody has asked 1 before.")

        def states(self) -> dict[int, str]:
            self.step()
            return dict(self.found)

        def served(self) -> tuple[object, list]:
            self.step()
            wanted = sorted(set(self.wanted))
            return max(filter(self.serves, wanted), default=None), wanted


def response(status: int, content: object = "") -> requests.Response:
    """An answer as `requests` gives it."""
    answer = requests.Response()
    answer.status_code, answer.url = status, "http://127.0.0.1"
    answer._content = json.dumps(content).encode()
    return answer


def predicts(shown: str, **answers: Number) -> Callable:
    """The first task of one half."""

    @task(**answers)
    def predict(framework) -> str:
        return f"All four are right: {shown}."

    return predict


predict = Halves(
    pytorch=predicts(
        "so it is with TorchServe 0.12",
        version=Number(2, {3: "is loaded, but requests without a version go to the default."}),
        missing=Number(404, {
            503: "would be a version that is registered and has no worker.",
            200: "would take that version: the default does not answer for it.",
        }),
        idle=Number(503, {
            404: "would be a version that is not registered.",
            200: "would take a worker: no other version answers for the default.",
        }),
        answered=Number(0, {
            3: "would take a handler that catches the error, and answers the others.",
            4: "would be all of them, and one cannot be answered.",
        }),
    ),
    tensorflow=predicts(
        "so say the documentation and the stand-in",
        newest=Number(10, {
            9: "comes last in the alphabet, but versions are numbers.",
            2: "is the oldest: what does the server keep by default?",
        }),
        version=Number(10, {11: "cannot be loaded.", 9: "is not loaded any more."}),
        missing=Number(404, {
            503: "would be a server that is too busy.",
            200: "would take a version that is loaded: a folder is not enough.",
        }),
        unnamed=Number(10, {9: "answers at its own address, but is not the newest."}),
    ),
)  # fmt: skip
refuse_bad = Halves(PyTorch.refuse_bad, TensorFlow.refuse_bad)


def ill(framework, ill) -> str:
    """Name the version that is ill, by two scrapes of the metrics."""
    rng = np.random.default_rng()
    worse = "but between the scrapes the other one had the larger mean or share."
    traps = {
        "nothing": worse,
        "still": worse,
        "others": "which is another model, or not the one that is worse.",
        "clients": f"which {framework.skipped}",
        "traffic": "which only had more requests: compare means or shares.",
        "history": "which was ill before the first scrape: take differences.",
        "new": "and the other one, which is worse, is new since the first scrape.",
        "quiet": "which had no request between the scrapes.",
    }
    others = "digits2", "my-digits-2"
    for turn, (trap, sentence) in enumerate(traps.items(), rng.integers(2)):
        numbers = np.sort(rng.choice(range(1, 10), 3, replace=False))
        *pair, quiet = map(framework.version.format, numbers)
        well, sick = pair[turn % 2], pair[1 - turn % 2]
        n = int(rng.integers(2000, 3000))
        cost = n * rng.uniform(90, 110)
        old = {("digits", well): (n, cost), ("digits", sick): (n, cost)}
        new = {("digits", well): (n, cost), ("digits", sick): (n, 3 * cost)}
        match trap:
            case "nothing":
                old["digits", sick] = n, 0
            case "still":
                old |= {("digits", well): (n, 0), ("digits", sick): (n, 3 * cost)}
            case "others":
                new |= {(other, well): (n, 9 * cost) for other in others}
            case "traffic":
                new["digits", well] = 9 * n, 9 * cost
            case "history":
                old["digits", well] = 9 * n, 70 * cost
            case "new":
                del old["digits", sick]
                new["digits", sick] = 10, 30 / n * cost
            case "quiet":
                old["digits", quiet], new["digits", quiet] = (n, 9 * cost), (0, 0)
        after = {key: tuple(np.add(old.get(key, 0), pair)) for key, pair in new.items()}
        texts = []
        for counts, clients in ((old, 0), (after, n * (trap == "clients"))):
            metrics = framework.metrics(counts, well, clients)
            texts.append("")
            for name in rng.permutation(list(metrics)):
                lines = [f"{name}{line}" for line in rng.permutation(metrics[name])]
                texts[-1] += f"# TYPE {name} counter\n" + "".join(lines)
        named = call(ill, before=texts[0], after=texts[1])
        if not isinstance(named, str):
            raise Wrong(f"`ill` must return a text; it returns {kind_of(named)}.")
        if named != sick:
            known = named in (well, quiet, "default", *others)
            raise Wrong(f"It names {named!r}, {sentence if known else worse}")
    return "It names the one that became ill, whatever was before, and whoever has more requests."


def ask(framework, ask) -> str:
    """Ask again where that helps, later each time, and not for ever."""
    rng = np.random.default_rng()
    images, scores = (rng.normal(size=size).tolist() for size in ((2, 8, 8), (2, 10)))
    number = rng.integers(3, 99)
    named = f"{number}.0" if framework.name == "pytorch" else int(number)
    for script, version in (
        ([200], None), ([200], named), ([503, "refused", 503, "hangs up", 200], None),
        *(([status], named) for status in (400, 404, 429, 500, 502, 504)),
        (["hangs up", 503, "refused", 503, 503], None), (["refused", 503, 400], None),
        ([503, "refused", 503, 503, "refused"], named),
    ):  # fmt: skip
        sent, pauses = [], []

        def send(_, request, *, timeout=None, script=script, sent=sent, **__):
            content = None
            with contextlib.suppress(TypeError, ValueError):
                content = json.loads(request.body)
            sent.append((request.method, request.path_url, content, timeout))
            now = (script + [200] * len(sent))[len(sent) - 1]
            if isinstance(now, str):
                raise requests.ConnectionError(now)
            return response(now, {"predictions": scores} if now == 200 else {"error": "no"})

        given = {"base": "http://127.0.0.1:9", "images": images, "version": version}
        with mock.patch.object(requests.adapters.HTTPAdapter, "send", send):
            try:
                ended = call(ask, **given, sleep=lambda s, pauses=pauses: pauses.append(float(s)))
            except requests.RequestException as error:
                ended = error
        tries, story, last = len(sent), ", ".join(map(str, script)), script[-1]
        raised = isinstance(ended, requests.RequestException)
        plain, own = framework.addresses
        allowed = plain if version is None else (own.format(version),)
        paths = {path for _, path, _, _ in sent} - {*allowed}
        refuse({
            "`ask` sends nothing with `requests`.": not tries,
            f"After {last}, an answer for good, it asks again.": (
                tries > len(script) and last not in (503, "refused")
            ),
            f"After {TRIES} tries it asks again.": tries > len(script),
            f"It ends after {tries} of these: {story}.": tries < len(script),
            f"Tries: {tries}, pauses: {len(pauses)}. Call `sleep` between two tries.": (
                len(pauses) != tries - 1
            ),
            f"The pauses are {pauses}: each must be longer than the one before.": not all(
                a < b for a, b in itertools.pairwise([0, *pauses])
            ),
            f"After {story} it returns {kind_of(ended)}: it must raise.": (
                last != 200 and not raised
            ),
            f"After {story} it raises `{type(ended).__name__}`.": raised and (
                last == 200 or isinstance(ended, requests.ConnectionError) != isinstance(last, str)
            ),
            f"With version {version} it asks {min(paths, default='')}, not {allowed[0]}.": paths,
            'Each request must be a POST of {"instances": images}.': any(
                method != "POST" or body != {"instances": images} for method, _, body, _ in sent
            ),
            "A request has no `timeout`: it would wait for a silent server for ever.": any(
                None in np.atleast_1d(limit) for *_, limit in sent
            ),
        })  # fmt: skip
        if last == 200:
            compare("What `ask` returns", ended, np.array(scores))
    return "It asks again after 503 and where nobody answers, five times at most, later each time."


def roll_back(framework, roll_back) -> str:
    """Let the old version serve, and only then take the new one away."""
    for state, story in framework.states.items():
        server = framework.Server(state)
        result = call(roll_back, **server.given)
        back = state in ("new", "idle", "slow")
        right = server.old if back else server.new
        serves, there = server.served()
        refuse({
            f"{story} {'; '.join(server.faults[:1])}": server.faults,
            f"{story} At the end {serves} answers; it must be {right}.": serves != right,
            f"{story} At the end {there} are there: keep {right} alone.": there != [right],
            f"{story} It returns {kind_of(result)}; it must be {back}.": (
                not isinstance(result, bool | np.bool_) or bool(result) is not back
            ),
        })  # fmt: skip
    return "At each moment a version serves, and the old one is asked before the new one goes."


TASKS = (predict, refuse_bad, ill, ask, roll_back)
