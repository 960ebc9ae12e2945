"""Languages of the Jitsi front end (its lang/languages.json, names alone)."""

from __future__ import annotations

from typing import Final

_CODES: Final = """
    af ar be bg ca cs da de dsb el en eo es es-US et eu fa fi fr fr-CA gl he hi hr hsb hu hy id is it ja kab kk ko lt lv ml
    mn mr nb nl no oc pl pt pt-BR ro ru sc sk sl sq sr sv te tr uk vi zh-CN zh-TW
"""
CODES: Final = frozenset(_CODES.split())
