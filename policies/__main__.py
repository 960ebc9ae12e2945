"""The policy pack: the engine holds a stack to `rules`, by `pulumi preview` or `up --policy-pack policies`.

Owns what the engine and the rules need to understand each other. Runs in an environment of its own (`make policies`).
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pulumi
from pulumi_policy import (
    EnforcementLevel,
    PolicyPack,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    policy,
)

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the engine starts this file alone

from policies.resource import PROJECT, Resource, Stack, shown
from policies.rules import RULES, Rule, violations

LEVELS = {"mandatory": EnforcementLevel.MANDATORY, "advisory": EnforcementLevel.ADVISORY}


def _marked(properties: Mapping[str, Any], proxy_secrets: bool = False) -> Any:
    """In place of pulumi_policy's own reader, which hands over secrets in plain text and without their mark."""
    del proxy_secrets  # of a remediation, and the pack has none
    return shown(properties)


policy.deserialize_properties = _marked


def _plain(value: Any) -> Any:
    """Without the proxies of pulumi_policy."""
    if isinstance(value, Mapping):
        return {key: _plain(value[key]) for key in value}
    return [_plain(one) for one in value] if hasattr(value, "__iter__") and not isinstance(value, str) else value


def _stack() -> Stack:
    config = pulumi.Config(PROJECT)
    values = {key: config.get(key) for key in ("publicUrl", "dnsZone", "policyExceptions")}
    return Stack(pulumi.get_stack(), {key: value for key, value in values.items() if value})


def _validate(rule: Rule, args: ResourceValidationArgs, report: ReportViolation) -> None:
    resource = Resource(args.resource_type, args.name, _plain(args.props))
    for one in violations(rule, resource, _stack()):
        report(f"{one.resource} {one.text}", args.urn)


PolicyPack(
    name=PROJECT,
    policies=[
        ResourceValidationPolicy(
            name=rule.name,
            description=f"{rule.holds[0].upper()}{rule.holds[1:]}.",
            enforcement_level=LEVELS[rule.level],
            validate=functools.partial(_validate, rule),
        )
        for rule in RULES
    ],
)
