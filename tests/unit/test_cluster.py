"""The addresses of several nodes on one machine."""

import pytest

from bootstrap.cluster import ClusterError, addresses


def test_each_node_listens_at_ports_of_its_own() -> None:
    firsts = {"HTTP_BIND": "127.0.0.1:8080", "WEBHOOK_BIND": "[::1]:8090"}
    assert addresses(firsts, 3) == [
        {"HTTP_BIND": f"127.0.0.1:{8080 + n}", "WEBHOOK_BIND": f"[::1]:{8090 + n}"}
        for n in range(3)
    ]


def test_what_is_not_set_is_left_out_and_free_ports_stay_free() -> None:
    firsts = {"HTTP_BIND": "127.0.0.1:0", "WEBHOOK_BIND": None}
    assert addresses(firsts, 2) == [{"HTTP_BIND": "127.0.0.1:0"}] * 2


@pytest.mark.parametrize(
    ("http", "webhook", "said"),
    [
        ("127.0.0.1:65534", None, "HTTP_BIND leaves no ports for 3 nodes"),
        ("127.0.0.1:8080", "127.0.0.1:65535", "WEBHOOK_BIND leaves no ports for 3 nodes"),
        ("127.0.0.1:8080", "127.0.0.1:8082", "HTTP_BIND and WEBHOOK_BIND want the same ports"),
        ("127.0.0.1:8080", "127.0.0.1:8079", "HTTP_BIND and WEBHOOK_BIND want the same ports"),
    ],
)
def test_what_cannot_be_is_said_before_anything_starts(
    http: str, webhook: str | None, said: str
) -> None:
    with pytest.raises(ClusterError, match=said):
        addresses({"HTTP_BIND": http, "WEBHOOK_BIND": webhook}, 3)
