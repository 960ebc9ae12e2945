"""The local authority's certificate for the page: made anew before it ends, and until then left alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from components.resources import certificates
from tests.tls.conftest import HOST, Authority

pytestmark = pytest.mark.servers

MakeAuthority = Callable[..., Authority]


def test_an_up_before_the_end_makes_a_new_certificate_from_the_authority_that_is_trusted_already(
    make_authority: MakeAuthority,
) -> None:
    stack = make_authority(HOST, early_renewal=certificates.SERVER_VALIDITY_HOURS)
    first, second = stack.up(), stack.up()
    assert first.chain != second.chain, "it was due from the start"
    assert (first.authority, first.private_key) == (second.authority, second.private_key)


def test_an_up_before_that_keeps_the_certificate(make_authority: MakeAuthority) -> None:
    stack = make_authority(HOST)
    assert stack.up() == stack.up()
