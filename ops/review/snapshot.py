"""What every stack of one revision asks for, as plain JSON: half of a review.

Owns the shape of it. Runs on the code and files of the revision that it is about: for the base it is started as a script
with that revision's tree first on the path, so that a change of the program shows as well as one of a stack file. It
therefore imports little, and nothing but settings and blueprint, and for the rules the program. Decrypts nothing; of a secret there is a hash of its
ciphertext, which tells whether it changed.
"""

from __future__ import annotations

import gc
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from components.config import rules
from components.config.keys import KEYS
from components.config.load import load_all
from components.config.problems import SettingsError
from components.config.providers import CLOUDFLARE_TOKEN
from components.config.secret import ENCRYPTED
from components.config.settings import Settings
from components.stack.blueprint import blueprint
from components.stack.spec import HIDDEN, ContainerSpec
from ops.errors import OpsError
from ops.plan import drawing
from ops.project import stackfile

_SECRETS_OF_STACK = ("encryptionsalt", "secretsprovider", "encryptedkey")


def take(root: Path, *, judged: bool = False) -> dict[str, Any]:
    """Each stack by name: what it asks for, or `error` with the reason why it is refused.

    Args:
        root: the project's directory.
        judged: with `policies`, what it breaks of the rules, where the revision has them; needs Pulumi's packages.
    """
    stacks = {}
    for name in stackfile.stacks(root):
        try:
            stacks[name] = _stack(name, root)
            if judged:
                stacks[name]["policies"] = _policies(name, root)
        except (OpsError, SettingsError) as error:
            stacks[name] = {"error": str(error)}
    return stacks


def _stack(name: str, root: Path) -> dict[str, Any]:
    path = stackfile.path_of(name, root)
    content = stackfile.read(path)
    project = stackfile.read_project(root)
    namespace = str(project["name"])
    stackfile.check(path, content, namespace)
    config = stackfile.engine_config(content, project)
    values = {CLOUDFLARE_TOKEN: ENCRYPTED, **config.values}
    secret_keys = config.secret_keys | ({CLOUDFLARE_TOKEN} - set(config.values))
    settings = load_all(values, stack=name, secret_keys=secret_keys, project=namespace)
    plan = blueprint(settings)
    encrypted = {
        key.removeprefix(f"{namespace}:"): _hash(value)
        for key, value in stackfile.namespaced(content, namespace).items()
        if stackfile.has_secret(value)
    }
    plain = {
        key.removeprefix(f"{namespace}:"): value
        for key, value in config.values.items()
        if key not in config.secret_keys
    }
    defaults = {key.name: key.default for key in KEYS.values() if key.default}
    return {
        "settings": {**defaults, **plain, **dict.fromkeys(encrypted, HIDDEN)},
        "secrets": encrypted,
        "environment": json.dumps(content["environment"], default=str) if "environment" in content else "-",
        "key": _hash([content.get(one) for one in _SECRETS_OF_STACK]),
        "containers": {spec.role: _container(spec) for spec in plan.containers},
        "generated": sorted(one.name for one in plan.credentials if one.own is None),
        "authority": getattr(plan.certificate, "authority", None),
        "certificateHost": getattr(plan.certificate, "host", None),
        "dns": [str(one) for one in plan.dns.records] if plan.dns else [],
        "dockerHost": _docker_host(settings),
        "branding": _hash(repr(settings.branding)),
        "tls": settings.tls_mode,
        "outputs": {"publicUrl": settings.public_url.origin, "facts": plan.outputs["facts"]},
        "warnings": rules.warnings(settings),
        "drawing": drawing.render(settings),
    }


def _policies(name: str, root: Path) -> dict[str, Any]:
    try:
        from ops.plan import policies
    except ImportError:  # a revision from before there were any
        return {"violations": [], "kept": {}}
    return policies.take(name, root)


def _container(spec: ContainerSpec) -> dict[str, Any]:
    return {
        "fingerprint": spec.fingerprint,
        "image": spec.image,
        "environment": spec.plain_environment,
        "secrets": sorted(spec.secret_names),
        "files": {one.path: _hash(getattr(one.content, "masked", one.content)) for one in spec.files},
        "volumes": sorted(one.name for one in spec.volumes),
        "follows": spec.replaced_with,
        "inPlace": [spec.restart, spec.stop_grace],
    }


def _docker_host(settings: Settings) -> str:
    if settings.docker_secrets & {"host", "context"}:
        return HIDDEN
    return str(settings.docker.get("context") or settings.docker_url)


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:16]


if __name__ == "__main__":
    gc.disable()  # a fifth of the time of so short a process
    json.dump(take(Path(sys.argv[1]), judged=True), sys.stdout)
