"""Ports for programs that listen a while later, many tests at once."""

import socket

from lab.processes import PART, free_port, is_free


def test_a_port_is_not_given_twice_before_all_others() -> None:
    ports = [free_port() for _ in range(PART // 4)]
    assert len(set(ports)) == len(ports)


def test_what_is_taken_is_left_out() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", free_port()))
        taken.listen()
        port: int = taken.getsockname()[1]
        assert not is_free(port)
        assert port not in [free_port() for _ in range(PART - 1)]
        assert free_port(port) != port


def test_the_one_that_is_preferred_comes_when_it_is_free() -> None:
    port = free_port()
    assert free_port(port) == port
