"""Which origins the INPUTs mean: they alone see the credentials that the user gave."""

from __future__ import annotations

import pytest

from mediamirror.jobs.run.inputs import own_origins


@pytest.mark.parametrize(
    ("word", "origins"),
    [
        ("https://example.org/a?b#c", {"https://example.org"}),
        ("HTTPS://Example.ORG:443/", {"https://example.org"}),
        ("https://example.org:8443/", {"https://example.org:8443"}),
        ("http://example.org/", {"http://example.org", "https://example.org"}),
        ("http://example.org:8080/", {"http://example.org:8080"}),
        ("http://[::1]/", {"http://[::1]", "https://[::1]"}),
        ("http://[::1]:8080/", {"http://[::1]:8080"}),
        ("http://[::1", set()),
        ("page.html", set()),
        ("-", set()),
        ("ftp://example.org/", set()),
    ],
)
def test_an_input_means_its_own_origin_and_https_where_it_says_http(word, origins):
    assert own_origins(["other.txt", word]) == origins
