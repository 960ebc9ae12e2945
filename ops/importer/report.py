"""What an import tells: the four groups, what has to change first, what is still to set.

Owns words and layout. Shows no secret: `outcome` has none in what it hands over.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from components.config.masking import masked
from components.config.problems import Problem, visible
from ops.importer.outcome import Outcome
from ops.importer.source import Fault, Source
from ops.project import fixes, scalars

_WIDTH = 118
_EMPTY = "  nothing"


def groups(source: Source, result: Outcome) -> str:
    """What became of each name."""
    parts = [f"{source.path}: {source.kind}"]
    taken = list(_taken(result)) or [_EMPTY]
    parts += ["", f"Taken over ({len(result.taken)})", *taken]
    for title, pairs in (
        ("Needless now", result.needless),
        ("Dead names, which no supported image reads", result.dead),
        ("Not expressible", result.lost),
    ):
        parts += ["", f"{title} ({len(pairs)})", *(list(_by_reason(pairs)) or [_EMPTY])]
    if result.otherwise:
        parts += ["", f"Otherwise than before ({len(result.otherwise)})", *_by_reason(result.otherwise)]
    return "\n".join(parts)


def _taken(result: Outcome) -> Iterator[str]:
    width = max((len(name) for name, _, _ in result.taken), default=0)
    for name, key, value in result.taken:
        yield f"  {name.ljust(width)}  {key}: {'[secret]' if value is None else visible(masked(value))}"


def _by_reason(pairs: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Names of the same reason in one line, that reason behind them."""
    named: dict[str, list[str]] = {}
    for name, reason in pairs:
        if visible(masked(name)) not in named.setdefault(reason, []):
            named[reason].append(visible(masked(name)))
    for reason, names in named.items():
        text = f"{', '.join(names)}: {reason}"
        yield from textwrap.wrap(
            text,
            _WIDTH,
            initial_indent="  ",
            subsequent_indent="      ",
            break_long_words=False,
            break_on_hyphens=False,
        )


def refused(faults: Sequence[Fault], again: str) -> str:
    """Why nothing was written, and what to do.

    Args:
        faults: what has to change.
        again: the command that leaves refused secrets out.
    """
    count = "1 value has" if len(faults) == 1 else f"{len(faults)} values have"
    lines = [f"{count} to change first; nothing was written."]
    for one in faults:
        lines += [f"  {visible(one.place)}", f"    problem: {one.reason}", f"    fix:     {one.fix}"]
    if any(one.renewable for one in faults):
        lines += [f"To have new ones generated for the secrets among them: {again}"]
        if any(one.renewable == "jwtAppSecret" for one in faults):
            lines += ["The VideoService needs the new jwtAppSecret then (output videoServiceProperties)."]
    return "\n".join(lines)


def still_to_set(problems: Sequence[Problem], stack: str, project: str) -> str:
    """What `up` would refuse, as lines to type or to write."""
    lines = ["Still to set, before make up:"]
    for one in problems:
        reason = one.reason or f"allowed: {one.allowed}"
        if one.step:
            fix = one.step
        elif one.secret:
            fix = fixes.config_command(stack, one.config_arguments)
        elif one.remove:
            fix = f"remove {one.key} from Pulumi.{stack}.yaml"
        else:
            key = one.key if ":" in one.key else f"{project}:{one.key}"
            fix = f"in Pulumi.{stack}.yaml: {key}: {scalars.scalar(one.example or 'VALUE')}"
        lines += [f"  {one.key}: {reason}", f"    {fix}"]
    return "\n".join(lines)


def differences(found: Sequence[tuple[str, str, str]], name: str) -> str:
    """What a stack file has otherwise than the import would write it."""
    lines = [f"{name} is there already, and is left as it is. It differs in:"]
    lines += [
        f"  {key}: {visible(masked(there))} there, {visible(masked(here))} by the import" for key, there, here in found
    ]
    lines.append("Change it by hand, or import into a stack of another name: STACK=NAME")
    return "\n".join(lines)
