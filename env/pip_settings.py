"""What pip is set to on this machine, and the same told to uv, which reads none of it."""

import ast
import os
import re
import urllib.parse

# Where pip's settings are variables of uv's. Lists are separated by spaces in both.
VARIABLES = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "trusted-host": "UV_INSECURE_HOST",
    "timeout": "UV_HTTP_TIMEOUT",
    "default-timeout": "UV_HTTP_TIMEOUT",
    "retries": "UV_HTTP_RETRIES",
    "cert": "SSL_CERT_FILE",
    "client-cert": "SSL_CLIENT_CERT",
    "proxy": "ALL_PROXY",
}
# And where they are options.
OPTIONS = {
    "find-links": "--find-links",
    "constraint": "--constraints",
    "build-constraint": "--build-constraints",
}
# These change what pip finds in ways that uv has not, or has otherwise.
PIP_ALONE = {"keyring-provider", "no-binary", "only-binary", "require-hashes", "uploaded-prior-to"}


def environment(root):
    """The environment variables that every step runs in."""
    variables = dict(os.environ)
    # Without compiled bytecode TensorFlow's import takes twice as long, each time.
    for name in ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "PYTHONHOME", "PIP_TARGET", "PIP_PREFIX"):
        variables.pop(name, None)
    for name in ("FORCE_COLOR", "CLICOLOR_FORCE"):  # colours would hide words from report()
        variables.pop(name, None)
    # Nothing that the person has set for uv: pip's settings count, here as everywhere.
    variables = {name: value for name, value in variables.items() if not name.startswith("UV_")}
    variables.update(PIP_USER="0", PIP_NO_INPUT="1", PIP_DISABLE_PIP_VERSION_CHECK="1")
    variables.update(UV_NO_CONFIG="1", UV_PYTHON_DOWNLOADS="never", UV_SYSTEM_CERTS="1")
    variables.update(UV_CACHE_DIR=str(root / ".cache" / "uv"))
    variables.update(UV_INDEX_STRATEGY="unsafe-best-match")  # all indexes are equal, as to pip
    return variables


def constrain(variables, root, settings):
    """Let the course's constraints hold in pip, beside those that it is set to."""
    # As an address, because pip splits a path at its spaces.
    ours = (root / "env" / "constraints.txt").as_uri()
    # Old versions of pip read the first for builds too, new ones the second.
    for name in ("constraint", "build-constraint"):
        variable = "PIP_" + name.upper().replace("-", "_")
        variables[variable] = " ".join([ours, *settings.get(name, "").split()])


def read(words):
    """The settings, by name, from what `pip config list` prints."""
    settings = {}
    for section in ("global", "install", ":env:"):  # the later one wins
        for name, value in re.findall(rf"(?m)^{section}\.([\w-]+)=(.*)$", words):
            settings[name] = ast.literal_eval(value)
    return settings


def tell_uv(settings, root, variables):
    """Set the variables of uv, and return the options for its command line."""
    for name, variable in VARIABLES.items():
        if settings.get(name, "").strip():
            variables[variable] = " ".join(settings[name].split())
    if "proxy" in settings:  # wins over these, which win over ALL_PROXY
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
            variables[name] = settings["proxy"]
    # Of one version uv takes the file of the first index that has it, pip the best of all. Another
    # index may have a poorer one, such as a package without its compiled part.
    if settings.get("index-url") and settings.get("extra-index-url", "").strip():
        variables["UV_INDEX"] = f"{settings['index-url']} {variables['UV_INDEX']}"
    bundle = variables.get("REQUESTS_CA_BUNDLE") or variables.get("CURL_CA_BUNDLE")
    if bundle and not settings.get("cert"):
        variables["SSL_CERT_DIR" if os.path.isdir(bundle) else "SSL_CERT_FILE"] = bundle
    if settings.get("no-index", "").lower() in ("1", "y", "yes", "t", "true", "on"):
        variables["UV_NO_INDEX"] = "1"
    ours = str(root / "env" / "constraints.txt")
    options = ["--constraints", ours, "--build-constraints", ours]
    for name, option in OPTIONS.items():
        for place in settings.get(name, "").split():
            if place.startswith("file:"):
                place = urllib.parse.unquote(urllib.parse.urlsplit(place).path)
            options += [option, os.path.expanduser(place)]
    return options
