"""Lesson 13, choosing: wrong answers to its exercise, and other right ones."""

from mistakes import Mistakes

bug_hunt = Mistakes("bug_hunt")
LEAN = 'lean = known if lean == "what it knows" else lean\n'
bug_hunt.brings('leans to "what it knows" is a vote for', both=(LEAN, "\n"))
bug_hunt.brings('"either" is nobody\'s vote.', both=("if lean in votes:", "if True:"))
bug_hunt.brings("Three are enough.", both=("count >= 3", "count > 3"))
bug_hunt.brings("Two are not enough.", both=("count >= 3", "count >= 2"))
bug_hunt.brings("it returns ('", both=("return best if", "return (best, count) if"))
EMPTY = ('{"PyTorch": 0, "TensorFlow": 0}', "", "lean in votes", 'lean != "either"')
bug_hunt.brings("Your code raises `IndexError", both=EMPTY)  # where all lean to "either"
ITEMS, BY_POSITION = "in answers.items()", "in zip(sheet, answers.values(), strict=True)"
bug_hunt.brings("Your code raises `KeyError", both=(ITEMS, BY_POSITION))
ONE_TABLE = "{a: lean for each in sheet.values() for a, lean in each.items()}[answer]"
bug_hunt.brings("and `decide` returns", both=("sheet[question][answer]", ONE_TABLE))
bug_hunt.brings("changes `sheet`", both=("lean = known", "lean = sheet[question][answer] = known"))
bug_hunt.brings("and `decide` returns 'PyTorch'", both='return "PyTorch"')
bug_hunt.right(
    both="""
    leans = [sheet[name][answers[name]] for name in sheet]
    for name in ("PyTorch", "TensorFlow"):
        if leans.count(name) + (known == name) * leans.count("what it knows") >= 3:
            return name
    return "split"
    """
)
bug_hunt.right(both=("if lean in votes:", 'if lean != "either":'))

turning = Mistakes("turning")
LEAVES, NAMES = '`turning` leaves out "question', '`turning` names "question'
ANY = "if any(verdict != decide(answers) for verdict in tries):"
turning.brings(LEAVES, both=("for each in others)", "for each in others[:1])"))
turning.brings(LEAVES, both=(ANY, "if all(verdict != decide(answers) for verdict in tries):"))
turning.brings(LEAVES, both="return []")
turning.brings(NAMES, both=(ANY, "if decide(answers):"))
turning.brings(NAMES, both="return list(options)")
turning.brings("keep the others.", both=("answers | {question: each}", "{question: each}"))
turning.brings(
    "Your function changes `answers` in place",
    both=(
        "decide(answers | {question: each})",
        "answers.update({question: each}) or decide(answers)",
    ),
)
turning.brings("names a question twice.", both=("return found", "return found * 2"))
turning.brings("must return a list of questions; it returns 'qu", both='return "question 0"')
turning.brings("must return a list of questions", both=("return found", "return set(found)"))
turning.brings("in the list is no question", both=("append(question)", "append([question])"))
turning.right(
    both="""
    ends = lambda name: {decide({**answers, name: each}) for each in options[name]}
    return [name for name in answers if len(ends(name)) > 1]
    """
)
turning.right(
    both="""
    now, copy, found = decide(answers), dict(answers), set()
    for question in options:
        for copy[question] in options[question]:
            if decide(copy) != now:
                found.add(question)
        copy[question] = answers[question]
    return sorted(found)
    """
)

claim = Mistakes("claim")
GRID, FAR = "np.linspace(-6, 6, 24_001)", "look farther, in smaller steps."
claim.brings(FAR, both=(GRID, "np.linspace(-1, 1, 24_001)"))
claim.brings(FAR, both=(GRID, "np.arange(-6.0, 7)"))
claim.brings(FAR, both=("gap.argmax()], gap.max()", "gap.argmin()], gap.min()"))
claim.brings("and not by", both=("gap.max()", "gap.max() * 1.001"))
claim.brings("and not by", both=("gap.argmax()", "gap.argmin()"))
claim.brings("not negative", both=("gap.max()", "-gap.max()"))
claim.brings("must return two numbers", both=("x[gap.argmax()]", "x"))
claim.brings("must return two numbers", both=("gap.max()", "str(gap.max())"))
claim.brings("neither NaN nor infinite", both=("gap.max()", "np.nan"))
claim.brings("neither NaN nor infinite", both=("x[gap.argmax()]", "np.inf"))
claim.brings("must return (x, gap)", both=("return x[gap.argmax()], gap.max()", "return gap.max()"))
claim.right(both=(GRID, "np.linspace(-4, 0, 8_001)"))
claim.right(
    both="""
    tanh = lambda x: x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
    off = lambda x: -abs(x[0] * special.ndtr(x[0]) - tanh(x[0]))
    from scipy.optimize import brute
    found = brute(off, [(0, 5)], Ns=500)
    return found[0], -off(found)
    """
)

load_dense = Mistakes("load_dense")
TURNED = ('arrays["kernel"].T', 'arrays["kernel"]'), ('arrays["weight"].T', 'arrays["weight"]')
SQUARE = """arrays = load_file(path)
    k = arrays["{0}"]
    if k.shape[0] == k.shape[1]:
        arrays["{0}"] = k.T"""
SLY = [("arrays = load_file(path)", SQUARE.format(name)) for name in ("kernel", "weight")]
BIAS = (
    ('        layer.bias.copy_(torch.from_numpy(arrays["bias"]))\n', ""),
    ('arrays["bias"]]', '0 * arrays["bias"]]'),
)
load_dense.brings("is transposed, in a layer that is square.", pytorch=SLY[0], tensorflow=SLY[1])
load_dense.brings("The bias has", pytorch=BIAS[0], tensorflow=BIAS[1])
load_dense.brings("Your code raises", pytorch=TURNED[0], tensorflow=TURNED[1])
load_dense.brings(
    "it must have (3, 5)",
    pytorch=("return layer", "return nn.Linear(3, 5, dtype=torch.float64)"),
    tensorflow="""
    layer = keras.layers.Dense(5, dtype="float64")
    layer.build((None, 3))
    return layer
    """,
)
load_dense.brings(
    "has dtype float32, it must have float64",
    pytorch=(", dtype=torch.float64", ""),
    tensorflow=('dtype="float64"', 'dtype="float32"'),
)
load_dense.brings(
    "The layer has no bias.",
    pytorch=("return layer", "layer.bias = None\n    return layer"),
    tensorflow=(
        'dtype="float64")', 'dtype="float64", use_bias=False)', ', arrays["bias"]])', "])",
    ),
)  # fmt: skip
load_dense.brings(
    "The layer's output has",
    pytorch=(
        "return layer",
        "layer.register_forward_hook(lambda *a: a[2].relu())\n    return layer",
    ),
    tensorflow=('dtype="float64")', 'dtype="float64", activation="relu")'),
)
load_dense.brings(
    "`load_dense` must return",
    pytorch=("return layer", "return layer.weight"),
    tensorflow=("return layer", "return layer.kernel"),
)
load_dense.right(
    pytorch="""
    arrays = {n: torch.from_numpy(a.T.copy()) for n, a in load_file(path).items()}
    layer = nn.Linear(1, 1)
    layer.weight = nn.Parameter(arrays["kernel"])
    layer.bias = nn.Parameter(arrays["bias"])
    return layer
    """,
    tensorflow="""
    weight, bias = (load_file(path)[name] for name in ("weight", "bias"))
    layer = keras.layers.Dense(len(bias), dtype="float64", kernel_initializer="zeros")
    keras.Sequential([keras.Input((weight.shape[1],), dtype="float64"), layer])
    layer.kernel.assign(weight.T)
    layer.bias.assign(bias)
    return layer
    """,
)
load_dense.right(
    pytorch="""
    arrays = load_file(path)
    state = {"weight": torch.tensor(arrays["kernel"].T), "bias": torch.tensor(arrays["bias"])}
    layer = nn.Linear(*arrays["kernel"].shape).double()
    layer.load_state_dict(state)
    return layer
    """,
    tensorflow="""
    arrays = load_file(path)
    layer = keras.layers.Dense(len(arrays["bias"]), dtype="float64")
    layer(np.zeros((1, arrays["weight"].shape[1])))
    layer.kernel.assign(np.einsum("oi->io", arrays["weight"]))
    layer.bias.assign(arrays["bias"])
    return layer
    """,
)
