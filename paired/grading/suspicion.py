"""What a student's code names that no answer needs, and a forged verdict does.

A check that runs in one process with the answer can be patched by it, and what it expects be read.
No list of names is complete: this one makes forging laborious, and the rest is for a person's eyes.
"""

import ast
import re

from IPython.core.inputtransformer2 import TransformerManager

_IMPORTS = set(re.findall(r"\w+", """
    __future__ abc bisect collections contextlib copy dataclasses enum fractions functools heapq
    itertools math numpy operator random re statistics string tensorflow time torch typing
    keras matplotlib
"""))  # fmt: skip
_DUNDERS = set(re.findall(r"\w+", """
    __init__ __call__ __len__ __iter__ __next__ __enter__ __exit__ __getitem__ __name__
    __class__ __repr__ __str__ __add__ __sub__ __mul__ __matmul__ __post_init__ __doc__
"""))  # fmt: skip
_NAMES = set(re.findall(r"\w+", """
    sys gc inspect ctypes builtins importlib attrgetter methodcaller os subprocess pickle marshal
    socket multiprocessing threading atexit signal settrace setprofile currentframe stack tb_frame
    f_back f_globals f_locals f_builtins gi_frame gi_code cr_frame ag_frame judging answers
    adapters get_ipython run_line_magic run_cell breakpoint breakpointhook pdb code timeit
    weights_only allow_pickle load_library cpp_extension py_func frompyfunc get_objects
    get_referrers input mock patch monkeypatch
"""))  # fmt: skip
# As names, that is: models have methods that are called so, too.
_FUNCTIONS = {"eval", "exec", "compile", "globals", "locals", "vars", "setattr", "delattr",
              "getattr", "open"}  # fmt: skip


def names(source: str, imported: set[str]) -> set[str]:
    """What code names: identifiers, attributes, modules, magics of IPython.

    `imported` grows by the names that it gives to modules and their parts; what is set in one of
    those is among what is named.
    """
    found, tree = set(), ast.parse(TransformerManager().transform_cell(source))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            imported |= {(each.asname or each.name).partition(".")[0] for each in node.names}
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=modules):
                found |= {f"import {each.name}" for each in modules}
            case ast.ImportFrom(module=module, names=modules):
                found |= {f"import {module}.{each.name}" for each in modules}
            case ast.MatchClass(kwd_attrs=attributes):
                found |= set(attributes)
            case ast.Constant(value=str(text)):
                found |= set(re.findall(r"__\w+__", text))
            case ast.Call(func=ast.Name("getattr"), args=[_, ast.Constant(str(name)), *_]):
                found.add(name)
                node.func.id = "hasattr"  # so it names nothing that is not to be seen
            case ast.Name(id=name):
                found.add(f"{name}()" if name in _FUNCTIONS else name)
            case ast.keyword(arg=str(name)):
                found.add(name)
            case ast.Attribute(attr=name, ctx=context):
                found.add(name)
                path = ast.unparse(node)
                if not isinstance(context, ast.Load) and path.partition(".")[0] in imported:
                    found.add(f"set {path}")
    return found


def suspicious(sources: list[str], usual: list[str]) -> list[str]:
    """What these cells name that forging needs, and the course's own cells do not name."""
    imported: set[str] = set()
    known = set().union(*(names(source, imported) for source in usual))
    found = set()
    for source in sources:
        try:
            found |= names(source, imported)
        except SyntaxError:
            continue  # it does not run either
    return sorted(name for name in found - known if _forges(name))


def _forges(name: str) -> bool:
    if name.startswith("import "):
        root, *rest = name.removeprefix("import ").split(".")
        return root not in _IMPORTS or not _NAMES.isdisjoint(rest)
    if name.startswith("__") and name.endswith("__"):
        return name not in _DUNDERS
    return name.startswith("set ") or name.endswith("()") or name in _NAMES
