"""Wrong answers to the exercise of lesson 00 that are the same in both halves."""

import types
from collections.abc import Mapping

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from wrong_answers import WrongAnswers

MINIMUM_DRIVER = {12: 525, 13: 580}


def add_predictions(wrong: WrongAnswers, right: tuple[tuple, tuple], mistakes: Mapping) -> None:
    """Add predictions in a wrong form, and `mistakes`: message by (machine, answer)."""
    with_gpu, without_gpu = right
    form = 'must be a tuple of 4 words, each "cpu" or "gpu" or "error".'
    for given in (with_gpu[:3], "cpu gpu gpu error", None, 4):
        wrong.add("predict", given, without_gpu, message=f"`with_gpu` {form}")
    wrong.add("predict", with_gpu, set(without_gpu), message=f"`without_gpu` {form}")
    for word in ("cuda", "GPU", "raises", None):
        message = f'has {word!r} in it; each word must be "cpu" or "gpu" or "error".'
        given = (word, *without_gpu[1:])
        wrong.add("predict", with_gpu, given, message=f"`without_gpu` {message}")
    for (machine, given), message in mistakes.items():
        answers = (given, without_gpu) if machine == "with_gpu" else (with_gpu, given)
        wrong.add("predict", *answers, message=f"`{machine}`, program {message}")


def add_causes(wrong: WrongAnswers, pick_device, right: tuple, mistakes: Mapping) -> None:
    """Add causes in a wrong form, and `mistakes`: message by answer."""
    words = '"name" or "kind" or "number" or "silent"'
    for given in (right[:2], right[0], {"name"}, 3):
        message = f"`causes` must be a tuple of 3 words, each {words}."
        wrong.add("explain_error", given, pick_device, message=message)
    message = f"`causes` has 'driver' in it; each word must be {words}."
    wrong.add("explain_error", (right[0], "driver", right[2]), pick_device, message=message)
    for given, message in mistakes.items():
        wrong.add("explain_error", given, pick_device, message=f"The cause of {message}")


def add_versions(wrong: WrongAnswers) -> None:
    """Add functions that pick another version than the newest that fits."""

    def newest(
        package, requirements, versions, *,
        same=lambda a, b: canonicalize_name(a) == canonicalize_name(b),
        applies=lambda line: line.marker is None or line.marker.evaluate(),
        accepts=lambda line, version: line.specifier.contains(version),
        every=all, key=Version, early=False,
    ):  # fmt: skip
        own = [line for line in map(Requirement, requirements) if same(line.name, package)]
        own = [line for line in own if applies(line)]
        fit = [v for v in versions if every(accepts(line, v) for line in own)]
        fit = [v for v in fit if early or not Version(v).is_prerelease]
        return max(fit, key=key, default=None)

    @wrong.brings(
        "versions",
        "With `package>=2.9` and the versions 2.9, 2.13 it is 2.13: versions are no "
        "text and no decimals: 9 comes before 13.",
    )
    def compares_versions_as_text(package, requirements, versions):
        return newest(package, requirements, versions, key=str)

    @wrong.brings(
        "versions",
        "With `package>=2.9` and the versions 2.9, 2.13 it is 2.13: versions are no "
        "text and no decimals: 9 comes before 13.",
    )
    def compares_versions_as_decimals(package, requirements, versions):
        return newest(
            package, requirements, versions, key=lambda v: float(".".join(v.split(".")[:2]))
        )

    @wrong.brings(
        "versions",
        "With `package` and the versions 2.13, 3.0, 2.9 it is 3.0: nothing speaks "
        "against the newest, wherever it stands.",
    )
    def takes_the_last(package, requirements, versions):
        fit = [v for v in versions if newest(package, requirements, [v])]
        return fit[-1] if fit else None

    @wrong.brings(
        "versions",
        "With `package` and the versions 2.13, 3.0, 2.9 it is 3.0: nothing speaks "
        "against the newest, wherever it stands.",
    )
    def takes_the_oldest(package, requirements, versions):
        fit = [v for v in versions if newest(package, requirements, [v])]
        return min(fit, key=Version, default=None)

    @wrong.brings(
        "versions",
        "With `package>=2.9`, `package<2.13` and the versions 2.13, 3.0, 2.9 it is 2.9: "
        "every line must accept it.",
    )
    def is_content_with_one_line(package, requirements, versions):
        return newest(package, requirements, versions, every=any)

    @wrong.brings(
        "versions",
        "With `package>=2.9`, `package<2.13` and the versions 2.13, 3.0, 2.9 it is 2.9: "
        "every line must accept it.",
    )
    def uses_the_first_line_only(package, requirements, versions):
        return newest(package, requirements[:1], versions)

    @wrong.brings(
        "versions",
        "With `package<2.13`, `package>=2.9` and the versions 2.13, 3.0, 2.9 it is 2.9: "
        "every line must accept it.",
    )
    def uses_the_last_line_only(package, requirements, versions):
        return newest(package, requirements[-1:], versions)

    @wrong.brings(
        "versions",
        "With `numpy<2.13`, `package<3.0` and the versions 2.13, 3.0, 2.9 it is 2.13: "
        "numpy is another package.",
    )
    def ignores_the_name(package, requirements, versions):
        return newest(package, requirements, versions, same=lambda a, b: True)

    @wrong.brings(
        "versions",
        "With `package-extra<2.13` and the versions 2.13, 3.0, 2.9 it is 3.0: that is "
        "another package.",
    )
    def looks_at_the_beginning_of_the_name(package, requirements, versions):
        return newest(package, requirements, versions, same=lambda a, b: a.startswith(b))

    @wrong.brings(
        "versions",
        'With `PACKAGE<3.0` and the versions 2.13, 3.0, 2.9 it is 2.13: capitals, "-", '
        '"_" and "." do not matter in the name of a package.',
    )
    def compares_names_letter_by_letter(package, requirements, versions):
        return newest(package, requirements, versions, same=lambda a, b: a == b)

    @wrong.brings(
        "versions",
        'With `package<2.13; python_version < "3"` and the versions 2.13, 3.0, 2.9 it '
        "is 3.0: what follows `;` says when the line applies.",
    )
    def ignores_markers(package, requirements, versions):
        return newest(package, requirements, versions, applies=lambda line: True)

    @wrong.brings(
        "versions",
        'With `package<3.0; python_version >= "3"` and the versions 2.13, 3.0, 2.9 it '
        "is 2.13: what follows `;` says when the line applies.",
    )
    def drops_every_line_with_a_marker(package, requirements, versions):
        return newest(package, requirements, versions, applies=lambda line: line.marker is None)

    @wrong.brings(
        "versions",
        'With `package<2.13; python_version < "3"` and the versions 2.13, 3.0, 2.9 it '
        "is 3.0: what follows `;` says when the line applies.",
    )
    def negates_markers(package, requirements, versions):
        def applies(line):
            return line.marker is None or not line.marker.evaluate()

        return newest(package, requirements, versions, applies=applies)

    @wrong.brings(
        "versions",
        'With `package<2.13; extra == "and-cuda"` and the versions 2.13, 3.0, 2.9 it is '
        "3.0: what follows `;` says when the line applies.",
    )
    def takes_extras_for_asked_for(package, requirements, versions):
        def applies(line):
            return line.marker is None or line.marker.evaluate({"extra": "and-cuda"})

        return newest(package, requirements, versions, applies=applies)

    @wrong.brings(
        "versions",
        "With `package>=2.9` and the versions 3.0rc1, 2.13 it is 2.13: a pre-release is "
        "not for everyday use.",
    )
    def allows_pre_releases(package, requirements, versions):
        def accepts(line, version):
            return line.specifier.contains(version, prereleases=True)

        return newest(package, requirements, versions, accepts=accepts, early=True)

    @wrong.brings(
        "versions",
        "With `package>=2.9` and the versions 3.0rc1, 2.13 it is 2.13: a pre-release is "
        "not for everyday use.",
    )
    def leaves_pre_releases_to_the_specifier(package, requirements, versions):
        return newest(package, requirements, versions, early=True)

    @wrong.brings(
        "versions",
        "With `package==2.13` and the versions 2.9, 2.13+cpu it is 2.13+cpu: `+cpu` "
        "only names the build.",
    )
    def leaves_local_versions_out(package, requirements, versions):
        return newest(package, requirements, [v for v in versions if "+" not in v])

    @wrong.brings(
        "versions",
        "It must return one of `versions`, as it stands there, or `None`; it is `str`.",
    )
    def drops_the_local_version(package, requirements, versions):
        version = newest(package, requirements, versions)
        return version and Version(version).public

    @wrong.brings(
        "versions",
        "It must return one of `versions`, as it stands there, or `None`; it is `Version`.",
    )
    def returns_a_version_object(package, requirements, versions):
        version = newest(package, requirements, versions)
        return version and Version(version)

    @wrong.brings(
        "versions",
        "It must return one of `versions`, as it stands there, or `None`; it is `list`.",
    )
    def returns_all_that_fit(package, requirements, versions):
        return [v for v in versions if newest(package, requirements, [v])]

    @wrong.brings(
        "versions",
        "Your code raises `IndexError: list index out of range`.",
    )
    def knows_no_default(package, requirements, versions):
        return sorted((v for v in versions if newest(package, requirements, [v])), key=Version)[-1]

    @wrong.brings(
        "versions",
        "With `package>=2.13`, `package<2.13` and the versions 2.13, 3.0, 2.9 it is "
        "None: no version is accepted by both.",
    )
    def falls_back_to_the_newest(package, requirements, versions):
        return newest(package, requirements, versions) or max(versions, key=Version)

    @wrong.brings(
        "versions",
        "It must return one of `versions`, as it stands there, or `None`; it is `str`.",
    )
    def says_none_in_words(package, requirements, versions):
        return newest(package, requirements, versions) or "None"

    @wrong.brings(
        "versions",
        "With `package` and the versions 2.9, 3.0.dev1 it is 2.9: a pre-release is not "
        "for everyday use.",
    )
    def knows_release_candidates_only(package, requirements, versions):
        versions = [v for v in versions if "rc" not in v]
        return newest(package, requirements, versions, early=True)

    @wrong.brings(
        "versions",
        "With `package<=2.13` and the versions 2.13, 3.0, 2.9 it is 2.13: `<=` accepts "
        "the bound itself.",
    )
    def leaves_the_bound_itself_out(package, requirements, versions):
        def accepts(line, version):
            return version in line.specifier and f"<={version}" not in str(line.specifier)

        return newest(package, requirements, versions, accepts=accepts)


def add_diagnoses(wrong: WrongAnswers, libraries: bool) -> None:
    """Add functions that give a wrong reason, or look for reasons in another order."""

    def major(version: str) -> int:
        return int(version.split(".")[0])

    def old(facts) -> bool:
        return major(facts["driver"]) < MINIMUM_DRIVER[major(facts["cuda"])]

    reasons = {
        "works": lambda f: bool(f["gpus"]),
        "no gpu": lambda f: f["driver"] is None and not f["hardware"],
        "no driver": lambda f: f["driver"] is None,
        "hidden": lambda f: f["hidden"] in ("", "-1"),
        "cpu build": lambda f: f["cuda"] is None,
        "libraries": lambda f: libraries and "dlopen" in f["words"],
        "old driver": old,
    }

    def diagnosis(facts, order=tuple(reasons), **changed):
        tests = types.MappingProxyType(reasons | changed)
        return next((word for word in order if tests[word](facts)), "unknown")

    @wrong.brings(
        "diagnose",
        "It must return one of the words of the table; with a build for the CPU, no "
        "driver it is another text.",
    )
    def returns_a_sentence(facts):
        return f"The reason is: {diagnosis(facts)}"

    @wrong.brings(
        "diagnose",
        "It must return one of the words of the table; with a build for the CPU, no "
        "driver it is a `bool`.",
    )
    def returns_true(facts):
        return bool(facts["gpus"])

    @wrong.brings(
        "diagnose",
        'With a build for the CPU, a driver that is new enough it is not "hidden": the '
        "build was made for no version of CUDA.",
    )
    def takes_an_unset_variable_for_an_empty_one(facts):
        return diagnosis(facts, hidden=lambda f: f["hidden"] in (None, "", "-1"))

    @wrong.brings(
        "diagnose",
        "With a build for the CPU, a driver that is new enough, "
        "CUDA_VISIBLE_DEVICES='0' it is not \"hidden\": the build was made for no version "
        "of CUDA.",
    )
    def takes_any_value_for_hiding(facts):
        return diagnosis(facts, hidden=lambda f: f["hidden"] is not None)

    @wrong.brings(
        "diagnose",
        "With a build for the CPU, a driver that is new enough, CUDA_VISIBLE_DEVICES='' "
        'it is not "cpu build": `CUDA_VISIBLE_DEVICES` names no GPU.',
    )
    def asks_whether_the_variable_is_true(facts):
        return diagnosis(facts, hidden=lambda f: f["hidden"] and f["hidden"] == "-1")

    @wrong.brings(
        "diagnose",
        'With a build for the CPU, a driver that is new enough it is not "hidden": the '
        "build was made for no version of CUDA.",
    )
    def asks_whether_the_variable_is_false(facts):
        return diagnosis(facts, hidden=lambda f: not f["hidden"] or f["hidden"] == "-1")

    @wrong.brings(
        "diagnose",
        "With a build for the CPU, a driver that is new enough, "
        "CUDA_VISIBLE_DEVICES='-1' it is not \"cpu build\": `CUDA_VISIBLE_DEVICES` names "
        "no GPU.",
    )
    def knows_only_the_empty_variable(facts):
        return diagnosis(facts, hidden=lambda f: f["hidden"] == "")

    @wrong.brings(
        "diagnose",
        "With a build for the CPU, a driver that is new enough, "
        "CUDA_VISIBLE_DEVICES='0' it is not \"hidden\": the build was made for no version "
        "of CUDA.",
    )
    def takes_number_0_for_none(facts):
        return diagnosis(facts, hidden=lambda f: f["hidden"] in ("", "-1", "0"))

    def as_text(facts):
        return facts["driver"] < str(MINIMUM_DRIVER[major(facts["cuda"])])

    @wrong.brings(
        "diagnose",
        'With a build for CUDA 12, a driver of version 96 it is not "unknown": the '
        "driver is older than this version of CUDA asks for.",
    )
    def compares_drivers_as_text(facts):
        return diagnosis(facts, **{"old driver": as_text})

    @wrong.brings(
        "diagnose",
        "With a build for CUDA 12, a driver of the oldest version that will do it is "
        'not "old driver": nothing that the table names stands in the way.',
    )
    def demands_a_newer_driver_than_the_oldest(facts):
        def test(f):
            return major(f["driver"]) <= MINIMUM_DRIVER[major(f["cuda"])]

        return diagnosis(facts, **{"old driver": test})

    @wrong.brings(
        "diagnose",
        'With a build for CUDA 12, a driver that is new enough it is not "old driver": '
        "nothing that the table names stands in the way.",
    )
    def takes_the_driver_of_the_newest_cuda(facts):
        return diagnosis(facts, **{"old driver": lambda f: major(f["driver"]) < 580})

    @wrong.brings(
        "diagnose",
        'With a build for CUDA 13, a driver one version too old it is not "unknown": '
        "the driver is older than this version of CUDA asks for.",
    )
    def takes_the_driver_of_the_oldest_cuda(facts):
        return diagnosis(facts, **{"old driver": lambda f: major(f["driver"]) < 525})

    @wrong.brings(
        "diagnose",
        'With a build for CUDA 12, a driver that is new enough it is not "old driver": '
        "nothing that the table names stands in the way.",
    )
    def blames_the_driver_for_the_rest(facts):
        return diagnosis(facts, **{"old driver": lambda f: True})

    @wrong.brings(
        "diagnose",
        'With a build for CUDA 12, a driver one version too old it is not "unknown": '
        "the driver is older than this version of CUDA asks for.",
    )
    def never_blames_an_old_driver(facts):
        return diagnosis(facts, **{"old driver": lambda f: False})

    @wrong.brings(
        "diagnose",
        'With a build for the CPU, no driver it is not "cpu build": there is a GPU, and '
        "no driver for it.",
    )
    def asks_for_the_build_first(facts):
        return diagnosis(facts, ("works", "cpu build", *list(reasons)[1:]))

    @wrong.brings(
        "diagnose",
        "With a build for the CPU, no driver, CUDA_VISIBLE_DEVICES='' it is not "
        '"hidden": there is a GPU, and no driver for it.',
    )
    def asks_for_the_variable_first(facts):
        return diagnosis(facts, ("works", "hidden", *list(reasons)[1:]))

    @wrong.brings(
        "diagnose",
        "With a GPU seen, a build for CUDA 12, a driver one version too old it is not "
        '"old driver": whatever else is so, it sees a GPU.',
    )
    def asks_for_the_gpus_last(facts):
        return diagnosis(facts, (*list(reasons)[1:], "works"))

    @wrong.brings(
        "diagnose",
        'With a build for the CPU, no driver, no GPU in the machine it is not "no driver": '
        "there is neither a driver nor a GPU in the machine.",
    )
    def knows_no_machine_without_a_gpu(facts):
        return diagnosis(facts, **{"no gpu": lambda f: False})

    @wrong.brings(
        "diagnose",
        "With a build for the CPU, a driver that is new enough, no GPU in the machine it is "
        'not "no gpu": the build was made for no version of CUDA.',
    )
    def asks_for_the_hardware_only(facts):
        return diagnosis(facts, **{"no gpu": lambda f: not f["hardware"]})

    @wrong.brings(
        "diagnose",
        'With a build for the CPU, no driver it is not "works": there is a GPU, and no '
        "driver for it.",
    )
    def always_says_that_it_works(facts):
        return "works"

    @wrong.brings(
        "diagnose",
        'With a build for the CPU, no driver it is not "cpu build": there is a GPU, and '
        "no driver for it.",
    )
    def forgets_that_there_may_be_no_driver(facts):
        return diagnosis(facts, [word for word in reasons if word not in ("no gpu", "no driver")])

    @wrong.brings(
        "diagnose",
        "Your code raises `AttributeError: 'NoneType' object has no attribute 'split'`.",
    )
    def forgets_the_build(facts):
        return diagnosis(facts, [word for word in reasons if word != "cpu build"])
