"""Lesson 11, serving: wrong answers to its exercise, and other right ones."""

from mistakes import Mistakes

RIGHT = ""


def rows(task: Mistakes, *table: tuple[str, ...], half: str = "both") -> None:
    """Add what must be said, nothing of a right answer, and edits of the solution, or another."""
    for says, *change in table:
        task.brings(says, **{half: tuple(change) if len(change) > 1 else change[0]})


refuse_bad = Mistakes("refuse_bad")
TEST = "x.shape[1:] != (8, 8)"
NET, LOOP = "net(torch.cat(list(good.values())))", "if good:\n"
rows(
    refuse_bad,
    (RIGHT, TEST, "x.ndim != 3 or x.size(1) != 8 or x.size(2) != 8", "[{} for _ in requests]",
     "[None] * len(requests)"),
    (RIGHT, NET, f"torch.inference_mode()({NET[:3]})({NET[4:]}", "str(error), idx=i", "'no', i",
     LOOP, "[context.set_response_status(idx=i) for i in good]\n    if good:\n"),
    ("(all bad) the network gets [(0, 8, 8)]; 0 images are good.", "if good:", "if True:", NET,
     "net(torch.cat([torch.empty(0, 8, 8), *good.values()]))"),
    ("(one with shape (2, 8, 9)) the network gets", TEST, "x.ndim != 3 or x.shape[1] != 8",
     "good[i] = x", "good[i] = x[:, :, :8]"),
    ("(one with -inf) the network gets", "x.isfinite()", "x[0].isfinite()"),
    ("(one with 1e+39) the network gets", "not x.isfinite().all()",
     "x.isnan().any() or (x == -torch.inf).any()"),
    ("A batch of 4 must get a list of 4 answers; it gets a `dict`.", "return answers",
     "return dict(enumerate(answers))"),
    ("(all bad) a bad request gets no status 400 by its `idx`.", ", idx=i", ""),
    ("(all good) a good request gets the status 400.", LOOP,
     "context.set_response_status(400, 'no')\n    if good:\n"),
    ("(all bad) a status has no words.", "str(error), idx", "'', idx"),
    ("(all good) the network is run 4 times: once is enough.", NET,
     "torch.cat([net(x) for x in good.values()])"),
    ("Answers must be what JSON can hold: lists, no tensors.", "part.tolist()", "part"),
    ("answer 0 must be a dict with something at 'error' alone.", '"error": str',
     '"predictions": str'),
    ("(all good) answer 0 has the right shape and dtype, but wrong", "part.to", "part.neg().to"),
    ("(all good) answer 0 has shape", "in zip(good", "in zip(sorted(good, reverse=True)"),
    half="pytorch",
)  # fmt: skip
ENSURE = "tf.ensure_shape(images, (None, 8, 8))"
NUMERICS = 'tf.debugging.check_numerics(images, "images")'
NET = 'return {"scores": net(images)}'
CHECKED = "tf.debugging.assert_rank(images, 3)"
FINITE = "tf.debugging.Assert(tf.reduce_all(tf.math.is_finite(images)), [images])"
SPEC = "input_signature=[images]", 'input_signature=[tf.TensorSpec({}, tf.float32, name="{}")]'
reach = "reach the network in the SavedModel: no error is raised."
rows(
    refuse_bad,
    (RIGHT, f"images = {NUMERICS}", f"with tf.control_dependencies([{FINITE}]):\n"
     "                images = tf.identity(images)"),
    (RIGHT, ENSURE, "tf.raw_ops.EnsureShape(input=images, shape=[None, 8, 8])",
     "return module", "found = tf.Module()\n    found.serve, found.own = module.serve, [net]\n"
     "    return found", "module.net = net", "pass"),
    (f"Images with shape (2, 64) {reach}", f"images = {ENSURE}", CHECKED),
    (f"Images with -inf {reach}", NUMERICS,
     "tf.debugging.check_numerics(tf.maximum(images, -1e30), '')"),
    ("are refused after the network has run", f"images = {NUMERICS}", "scores = net(images)",
     NET, f'return {{"scores": scores + 0 * {NUMERICS}[:, 0, :1]}}'),
    ("and the error does not name (n, 8, 8).", ENSURE, "tf.reverse(tf.reverse(images, [2]), [2])"),
    ("There is an assertion, and the network does not wait", f"images = {NUMERICS}", FINITE),
    ("Images with nan get an answer in the SavedModel: no error", f"images = {NUMERICS}", "fine ="
     "tf.reduce_all(tf.math.is_finite(images))\n            if not fine:\n                return "
     '{"scores": tf.zeros([1, 10])}'),
    ("There is Python in the graph, and none runs in", f"images = {NUMERICS}",
     "images = tf.numpy_function(lambda x: x, [images], tf.float32)"),
    ("must be 'tracked' by assigning them to an attribute", "module.net = net", "pass"),
    ("must return a `tf.Module` whose `serve` is a `tf.function`.", "return module", "return net"),
    ("says to clients: images, float32, <unknown>.", SPEC[0], SPEC[1].format(None, "images")),
    ("says to clients: x, float32, (None, 8, 8).", SPEC[0], SPEC[1].format((None, 8, 8), "x")),
    ("The one output must be `scores`", '{"scores"', '{"logits"'),
    ("The output `scores` has the right shape and dtype, but", "module.net = net", "pass",
     "class Served", "w = tf.constant(net.w)\n    class Served",
     "net(images)", "tf.reshape(images, [-1, 64]) @ w"),
    half="tensorflow",
)  # fmt: skip

ill = Mistakes("ill")
SCRAPES = "((before, -1), (after, 1))"
rows(
    ill,
    (RIGHT, SCRAPES, "((after, 1), (before, -1))", "return max(", "return sorted(",
     "s.get)", "s.get)[-1]"),
    ("must return a text; it returns None", "return max", "max"),
    ("which was ill before the first scrape: take differences.", SCRAPES, "((after, 1),)"),
    ("but between the scrapes the other one had the larger mean or share.", "max(", "min("),
    ("but between the scrapes the other one had the larger mean or share.", "return 'x'"),
)  # fmt: skip
rows(
    ill,
    (RIGHT, 'sample.labels.get("model_name") == "digits"',
     'sample.labels["model_name"] == "digits" and sample.labels["model_version"] != "default"'),
    ("which is another model, or not the one that is worse.", ') == "digits"',
     ').startswith("digits")'),
    ("`default` is no version, but who was asked for none.", ' and version != "default"', ""),
    ("which only had more requests: compare means or shares.", "version] / n", "version]"),
    ("and the other one, which is worse, is new", "and n", "and n > 99"),
    ("which had no request between the scrapes.", "version] / n", "version] / n if n else 9e9",
     "and n and", "and"),
    half="pytorch",
)  # fmt: skip
rows(
    ill,
    (RIGHT, '.labels.get("model_name", "")', '.labels["model_name"]'),
    ("which is another model, or not the one that is worse.", 'startswith("digits-")',
     'startswith("digits")'),
    ("It names 'digits-", "not in FINE", '== "INTERNAL"'),
    ("has more mistakes of clients, INVALID_ARGUMENT and", "not in FINE", 'not in ("OK",)'),
    ("which only had more requests: compare means or shares.", "errors[name] / n", "errors[name]"),
    ("and the other one, which is worse, is new", "and n", "and n > 99"),
    ("which had no request between the scrapes.", "errors[name] / n",
     "errors[name] / n if n else 2", '("digits-") and n', '("digits-")'),
    half="tensorflow",
)  # fmt: skip

ask = Mistakes("ask")
PAUSES, TRY = "(0.1, 0.2, 0.4, 0.8, None)", "session.post(url, json=body, timeout=10)"
DONE, STATUS = "reply.status_code != 503 or pause is None", "reply.raise_for_status()"
RAISE = "except requests.ConnectionError:\n            if pause is None:\n                raise"
rows(
    ask,
    (RIGHT, PAUSES, "(1, 2, 3, 4, None)", TRY,
     "requests.request('POST', url, json=body, timeout=(3, 9))"),
    (RIGHT, TRY, "requests.Session().post(url, data=json.dumps(body), timeout=9)"),
    (RIGHT, "except requests.ConnectionError", "except requests.RequestException"),
    ("`ask` sends nothing with `requests`.", "return []"),
    ("After 502, an answer for good, it asks again.", DONE,
     "reply.status_code not in (502, 503) or pause is None"),
    ("After 5 tries it asks again.", PAUSES, "(0.1, 0.2, 0.4, 0.8, 1.6, None)"),
    ("It ends after 2 of these: 503, refused, 503", RAISE,
     "except requests.Timeout:\n            pass"),
    ("Tries: 5, pauses: 0. Call `sleep`", "        sleep(pause)\n", ""),
    ("Tries: 1, pauses: 1. Call `sleep`", "sleep(pause)\n", "sleep(pause)\n    sleep(9)\n"),
    ("each must be longer than the one before.", PAUSES, "(0.1, 0.1, 0.1, 0.1, None)"),
    ("each must be longer than the one before.", PAUSES, "(0, 0.2, 0.4, 0.8, None)"),
    ("After 400 it returns None: it must raise.", STATUS, "if not reply.ok:\n        return None"),
    ("After 503, refused, 503, 503, refused it raises `HTTPError`.", "                raise\n",
     "                break\n"),
    ("With version None it asks /v1/models/faces:predict, not", "models/digits", "models/faces"),
    ("Each request must be a POST", '{"instances": images}', '{"instances": images[:1]}'),
    ("A request has no `timeout`", "timeout=10", "timeout=(3, None)"),
    ("What `ask` returns is a `dict`", 'reply.json()["predictions"]', "reply.json()"),
)  # fmt: skip
ask.brings(
    "With version ",
    pytorch=("is not None", "is True"),
    tensorflow=('"" if version is None', '"" if version != 0'),
)

roll_back = Mistakes("roll_back")
at_end = "At the end 2.0 answers; it must be 1.0."
POST = 'admin("POST", initial_workers=1, synchronous="true", **about)'
PUT = 'admin("PUT", "/digits/1.0", min_worker=1, synchronous="true")'
CHOICE = '"/digits/2.0" if good else "/digits/1.0"'
rows(
    roll_back,
    (RIGHT, PUT, "", POST, f"if {POST}.status_code == 409:\n        {PUT}"),
    (RIGHT, POST, 'admin("DELETE", "/digits/1.0")\n    ' + POST, PUT, ""),
    (RIGHT, PUT, 'for _ in range(9):\n        admin("GET", "/digits/1.0")', POST,
     'admin("DELETE", "/digits/1.0")\n    admin("POST", initial_workers=1, **about)'),
    (f"Version 1.0 is registered, and has no worker. {at_end}", PUT, ""),
    (f"Version 1.0 is well. {at_end}", POST, ""),
    (f"Version 1.0 is well. {at_end}", POST, 'admin("POST", initial_workers=1, **about)'),
    ("1.0 is the default, and nobody has asked it before.", "good = is", "good = True or is"),
    ("The default version has no worker: clients hear 503.", POST,
     'admin("POST", **about)\n    admin("PUT", "/digits/1.0/set-default")'),
    ("Version 1.0 answers wrongly. 1.0 is the default", "if good:", "if True:"),
    ("Version 1.0 answers wrongly. At the end ['1.0', '2.0'] are there: keep 2.0 alone.", CHOICE,
     '"/digits/2.0"'),
    ("Version 1.0 cannot be loaded. It returns True; it must be False.", POST,
     f"if {POST}.status_code == 500:\n        return True"),
    ("Version 1.0 is registered, and cannot be loaded. At the end", PUT,
     f"if {PUT}.status_code == 500:\n        return False"),
    ("It returns None; it must be True.", "return good", ""),
    ("After 100 questions it still asks", "good = is_right", "while not is_right", '("1.0")',
     '("1.0"):\n        pass\n    good = True'),
    half="pytorch",
)  # fmt: skip
at_end = "At the end 2 answers; it must be 1."
WAIT = 'while states().get(1) not in ("AVAILABLE", "END"):\n        time.sleep(0.01)'
LAST = "keep_versions(1 if good else 2)"
rows(
    roll_back,
    (RIGHT, "keep_versions(1, 2)", "keep_versions(2, 1)", WAIT, "while states().get(1) in ("
     "None, 'START', 'LOADING'):\n        pass"),
    (RIGHT, WAIT, "for _ in range(20):\n        states()"),
    (f"Version 1 is well, and loads slowly. {at_end}", WAIT,
     "while states().get(1) == 'LOADING':\n        pass"),
    ("2 is to go, and nobody has asked 1 before.", "keep_versions(1, 2)", "keep_versions(1)"),
    ("as in keep_versions(1, 2)` in line", "keep_versions(1, 2)", "keep_versions([1, 2])"),
    ("2 is to go, and nobody has asked 1 before.", "good = is_right(1)", "good = True"),
    ("Version 1 answers wrongly. 2 is to go", LAST,
     "keep_versions(1 if 'AVAILABLE' in states().values() and states()[1] != 'END' else 2)"),
    ("Version 1 cannot be loaded. 2 is to go", LAST, "keep_versions(1)"),
    ("Version 1 cannot be loaded. At the end [1, 2] are there: keep 2 alone.", LAST,
     "if good:\n        keep_versions(1)"),
    ("It returns None; it must be True.", "return good", ""),
    ("Version 1 cannot be loaded. It returns True; it must be False.", "return good",
     "return True"),
    ("After 100 questions it still asks", '("AVAILABLE", "END")', '("AVAILABLE",)', "0.01", "0"),
    half="tensorflow",
)  # fmt: skip
