"""Ports that browsers do not open, whatever the server says.

Firefox makes no connection at all where it blocks the port of one STUN or TURN server of several (its
dom/media/webrtc/jsapi/MediaTransportHandler.cpp, addNrIceServer: the list of pages but for 53).
"""

from __future__ import annotations

from typing import Final

_BLOCKED: Final = """
    0 1 7 9 11 13 15 17 19 20 21 22 23 25 37 42 43 53 69 77 79 87 95 101 102 103 104 109 110 111 113 115 117 119 123 135
    137 139 143 161 179 389 427 465 512 513 514 515 526 530 531 532 540 548 554 556 563 587 601 636 989 990 993 995 1719
    1720 1723 2049 3659 4045 4190 5060 5061 6000 6566 6665 6666 6667 6668 6669 6679 6697 10080
"""
BLOCKED_FOR_PAGES: Final = frozenset(map(int, _BLOCKED.split()))
"""Bad ports of the Fetch standard (https://fetch.spec.whatwg.org/#port-blocking)."""

BLOCKED_FOR_STUN: Final = BLOCKED_FOR_PAGES - {53}
"""Of STUN and TURN servers; Firefox's list."""

LOWEST_FOR_WEBRTC: Final = 1024
ALLOWED_FOR_TURN: Final = (53, 80, 443)
"""Below the lowest, Chromium opens TURN at these ports alone (libwebrtc, p2p/base/turn_port.cc, AllowedTurnPort)."""
ALLOWED_FOR_MEDIA: Final = (80, 443)
"""Below the lowest, Chromium takes candidates of the bridge at these ports alone, and at these none whose address is
private (libwebrtc, p2p/base/ice_transport_internal.cc, VerifyCandidate)."""
