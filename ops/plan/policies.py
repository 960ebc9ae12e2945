"""The rules of `policies`, asked without an engine: of what the program registers for a stack.

Owns bringing the two together, for `plan` and `review`. The rules are `policies.rules`; the engine asks them by the pack.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ops.plan import Source, program
from policies import rules, violation
from policies.resource import Stack
from policies.violation import Violation


def violations(source: Source, plan: program.Plan) -> list[Violation]:
    """What the plan of a stack breaks, mandatory rules first."""
    return rules.judge(plan.judged, _stack(source))


def told(broken: Iterable[Violation]) -> list[str]:
    """In a line for each rule and what is wrong with it."""
    return violation.told(broken)


def stopping(broken: Iterable[Violation]) -> bool:
    """Whether a mandatory rule is among them."""
    return any(one.level == "mandatory" for one in broken)


def take(stack: str, root: Path) -> dict[str, Any]:
    """What one revision of a stack breaks, what of it must never be replaced, and a hash of each input, as plain JSON."""
    source = Source.read(stack, root)
    plan = program.plan(source, light=True)
    return {
        "violations": [vars(one) for one in violations(source, plan)],
        "kept": rules.kept(plan.judged),
        "resources": {
            f"{one.type} {one.name}": {name: _hash(value) for name, value in one.inputs.items()} for one in plan.judged
        },
    }


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def _stack(source: Source) -> Stack:
    prefix = f"{source.project}:"
    plain = {key: value for key, value in source.config.values.items() if key not in source.config.secret_keys}
    return Stack(
        source.stack_state.stack,
        {key.removeprefix(prefix): value for key, value in plain.items() if key.startswith(prefix)},
    )
