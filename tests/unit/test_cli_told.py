"""How the command line ends when something goes wrong."""

import pytest

from actors.errors import TopicdeskError
from bootstrap.cli_shared import told


def test_what_was_expected_is_said_in_one_line_however_deep_it_lies(
    capsys: pytest.CaptureFixture[str],
) -> None:
    error: Exception = TopicdeskError("the address is taken")
    for depth in range(12):
        error = ExceptionGroup(str(depth), [error])
    with pytest.raises(SystemExit) as ended, told():
        raise error
    assert ended.value.code == 1
    assert capsys.readouterr().err == "topicdesk: the address is taken\n"


def test_a_bug_in_many_groups_is_shown_itself() -> None:
    error: Exception = ZeroDivisionError("a bug")
    for depth in range(12):
        error = ExceptionGroup(str(depth), [error])
    with pytest.raises(ZeroDivisionError, match="a bug"), told():
        raise error


def test_a_bug_beside_something_expected_is_not_hidden() -> None:
    with pytest.raises(ExceptionGroup) as raised, told():
        raise ExceptionGroup("both", [TopicdeskError("taken"), ZeroDivisionError("a bug")])
    assert raised.group_contains(ZeroDivisionError)


def test_what_a_bug_came_of_is_shown_with_it() -> None:
    error = RuntimeError("could not start")
    error.__cause__ = OSError("disk full")
    with pytest.raises(RuntimeError) as raised, told():
        raise ExceptionGroup("tasks", [error])
    assert str(raised.value.__cause__) == "disk full"
