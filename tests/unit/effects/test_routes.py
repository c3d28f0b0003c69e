"""A route is a path without the names of single things."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.effects.routes import PLACE, route_of


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/", "/"),
        ("/user", "/user"),
        ("/v1/items", "/v1/items"),  # a version is no identifier
        ("/repos/acme/site/pulls/17/files", "/repos/acme/site/pulls/‹id›/files"),
        ("/a/018f4e2c-9a6b-7c3d-8e1f-0123456789ab/b", "/a/‹id›/b"),
        ("/commits/97ac62b", "/commits/‹id›"),
        ("/blobs/" + "9f" * 32, "/blobs/‹id›"),
        ("/cafe/feedface", "/cafe/feedface"),  # words, if odd ones
        ("/c/cus_NffrFeUfNV2Hib9aQ1", "/c/‹id›"),
        ("/docs/how-to-write-good-documentation", "/docs/how-to-write-good-documentation"),
        ("/s3/2026-11-23", "/s3/2026-11-23"),
    ],
)
def test_identifiers_are_left_out_and_words_stay(path: str, route: str) -> None:
    assert route_of(path) == route


@given(st.lists(st.text("abc0123456789-_%.", max_size=40), min_size=1))
def test_a_route_has_the_paths_segments_and_is_its_own_route(segments: list[str]) -> None:
    route = route_of("/" + "/".join(segments))
    assert route_of(route) == route
    for segment, kept in zip(segments, route.split("/")[1:], strict=True):
        assert kept == segment or (kept == PLACE and set(segment) & set("0123456789"))
