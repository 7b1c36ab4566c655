"""Settings: what is read from where, and what a person is told when something is wrong."""

import json
import re
import tempfile
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from actors.ids import ChatId, UserId
from bootstrap.settings import (
    Problem,
    Settings,
    SettingsError,
    TechnicianGroup,
    doubtful_names,
    load_settings,
    load_storage_settings,
)
from storage.addresses import Host
from storage.redis_address import ClusterAddress, SentinelAddress, parse

TOKEN = "123456789:" + "A" * 35
SECRET = "s3cret-s3cret-s3cret"

GOOD = {
    "BOT_TOKEN": TOKEN,
    "MAIN_GROUP_ID": "-1001234567890",
    "TECH_GROUPS_MAPPING": (
        '{"alice": {"chat_id": -1001234567891, "user_id": 7}, "bob": -1001234567892}'
    ),
    "ADMIN_IDS": "11, 12",
}


def problems(changes: dict[str, str | None], base: dict[str, str] = GOOD) -> dict[str, Problem]:
    """What is reported about good settings with these changes; ``None`` takes a name away."""
    environ = {name: text for name, text in {**base, **changes}.items() if text is not None}
    with pytest.raises(SettingsError) as caught:
        load_settings(environ, None)
    for text in changes.values():
        if text and len(text) > 6:
            said = "".join(problem.problem for problem in caught.value.problems)
            assert text not in said, "the value of a setting is in the message"
    return {problem.name: problem for problem in caught.value.problems}


def loaded(**changes: str) -> Settings:
    return load_settings({**GOOD, **changes}, None)


def test_good_settings_become_values() -> None:
    settings = loaded()
    assert settings.bot_token.get_secret_value() == TOKEN
    assert settings.main_group_id == (-1001234567890,)
    assert settings.tech_groups_mapping == (
        TechnicianGroup(name="alice", chat_id=ChatId(-1001234567891), user_id=UserId(7)),
        TechnicianGroup(name="bob", chat_id=ChatId(-1001234567892)),
    )
    assert settings.admin_ids == (11, 12)
    assert settings.database is None
    assert settings.redis is None
    assert settings.webhook_endpoint is None
    assert settings.is_official_api
    assert settings.node_name


def test_settings_cannot_be_changed_and_do_not_show_secrets() -> None:
    settings = loaded(STATUS_TOKEN=SECRET)
    with pytest.raises(ValidationError, match="frozen"):
        settings.language = "en"
    assert TOKEN not in repr(settings)
    assert SECRET not in repr(settings)


def test_there_may_be_several_main_groups() -> None:
    groups = " [-1001234567890, -1001234567899] "
    settings = load_settings({**GOOD, "MAIN_GROUP_ID": groups}, None)
    assert settings.main_group_id == (-1001234567890, -1001234567899)
    found = problems({"MAIN_GROUP_ID": groups, "TECH_GROUPS_MAPPING": '{"a": -1001234567899}'})
    assert found["TECH_GROUPS_MAPPING"].problem == 'entry "a": is a main group itself'


def test_a_program_may_pass_values_instead_of_text() -> None:
    group = TechnicianGroup(name="alice", chat_id=ChatId(-1001234567891))
    settings = Settings(
        telegram_api_url="http://127.0.0.1:8081",
        bot_token=SecretStr("42:demo"),
        main_group_id=(ChatId(-1001234567890),),
        tech_groups_mapping=(group,),
        data_dir=Path("elsewhere"),
    )
    assert settings.tech_groups_mapping == (group,)


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    env_file = tmp_path / ".env"
    env_file.write_text(
        "\ufeff# comment\nexport LANGUAGE=en\nLOG_LEVEL='debug'\nHTTP_BIND=\"127.0.0.1:1\"\n"
        'TECH_GROUPS_MAPPING={"carol": -1001234567893}  # one\n'
    )
    base = {name: text for name, text in GOOD.items() if name != "TECH_GROUPS_MAPPING"}
    settings = load_settings({**base, "HTTP_BIND": "127.0.0.1:2"}, env_file)
    assert (settings.language, settings.log_level) == ("en", "DEBUG")
    assert settings.http_bind == "127.0.0.1:2"
    assert [group.name for group in settings.tech_groups_mapping] == ["carol"]


def test_a_line_of_the_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    env_file = tmp_path / ".env"
    env_file.write_text("LANGUAGE=en\n= broken\n")
    with pytest.raises(SettingsError, match=r"line 2: is not of the form NAME=value"):
        load_settings(GOOD, env_file)


def test_all_mistakes_are_reported_at_once() -> None:
    found = problems(
        {
            "BOT_TOKEN": None,
            "MAIN_GROUP_ID": "1234567",
            "TECH_GROUPS_MAPPING": "[1, 2]",
            "ADMIN_IDS": "1,two",
            "WEBHOOK_URL": "http://desk.example.org",
            "POSTGRES_PORT": "x" * 9,
            "LOG_LEVEL": "chatty",
            "PACE_BOT_PER_S": "-1",
            "HTTP_BIND": "localhost",
            "WEBHOOK_BIND": "8090",
            "STATUS_TOKEN": "short",
        }
    )
    assert {name: problem.problem for name, problem in found.items()} == {
        "BOT_TOKEN": "is not set",
        "MAIN_GROUP_ID": "must be a group's id, which is negative: this is a person's",
        "TECH_GROUPS_MAPPING": "must be a JSON object: names with groups",
        "ADMIN_IDS": "entry 2 is not a person's id, a positive number",
        "WEBHOOK_URL": "must begin with https://: Telegram delivers to nothing else",
        "POSTGRES_PORT": "should be a valid integer, unable to parse string as an integer",
        "LOG_LEVEL": "must be 'DEBUG', 'INFO', 'WARNING' or 'ERROR'",
        "PACE_BOT_PER_S": "should be greater than or equal to 0",
        "HTTP_BIND": "must be an address and a port",
        "WEBHOOK_BIND": "must be an address and a port",
        "STATUS_TOKEN": "must be 16 to 256 visible ASCII signs, without spaces",
        "WEBHOOK_SECRET": "is not set, but WEBHOOK_URL is: only it tells Telegram from others",
    }
    assert all(problem.example for problem in found.values())


@pytest.mark.parametrize(
    ("mapping", "says"),
    [
        ('{"alice": -100', "is not JSON: .* column"),
        ('{"alice": "x"}', 'entry "alice": chat_id must be a number'),
        ('{"alice": true}', 'entry "alice": chat_id must be a number'),
        (
            '{"alice": -5, "bob": 3}',
            r'entry "alice": chat_id must begin with -100.*"bob": .*person',
        ),
        ('{"alice": {"chat": -1001234567891}}', 'entry "alice": has unknown fields: chat'),
        (
            '{"alice": {"chat_id": -1001234567891, "user_id": -2}}',
            'entry "alice": user_id must be a person',
        ),
        ('{"": -1001234567891}', 'entry "": the name must have'),
        ('{"a": -1001234567891, "a": -1001234567892}', '"a" stands there twice'),
        ('{"a": -1001234567891, "b": -1001234567891}', 'entry "b": has the same group as "a"'),
        ('{"a": -1001234567890}', 'entry "a": is a main group itself'),
    ],
)
def test_a_wrong_mapping_says_which_entry(mapping: str, says: str) -> None:
    found = problems({"TECH_GROUPS_MAPPING": mapping})
    assert list(found) == ["TECH_GROUPS_MAPPING"]
    assert re.search(says, found["TECH_GROUPS_MAPPING"].problem)


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("BOT_TOKEN", "123456789:tooshort", "does not look like a token"),
        ("MAIN_GROUP_ID", "-4123456789", "must begin with -100"),
        ("MAIN_GROUP_ID", "my-group", "must be a number"),
        ("MAIN_GROUP_ID", "[]", "names no group"),
        ("MAIN_GROUP_ID", "[-1001234567890,", "is no JSON list of ids"),
        ("MAIN_GROUP_ID", '[-1001234567890, "x"]', "entry 2 must be a number"),
        ("MAIN_GROUP_ID", "[-1001234567890, 5]", "entry 2 must be a group's id"),
        ("MAIN_GROUP_ID", "[-1001234567890, -1001234567890]", "entry 2 stands there twice"),
        ("WEBHOOK_URL", "https://desk.example.org:8081", "port that Telegram does not"),
        ("WEBHOOK_URL", "desk.example.org", "must begin with http"),
        ("WEBHOOK_SECRET", "with spaces in it, long", "A-Z a-z 0-9"),
        ("TELEGRAM_API_URL", "http://user@host", "plain address"),
        ("POSTGRES_DSN", "mysql://u:p4ssw0rd@h/db", "must begin with postgresql://"),
        ("POSTGRES_DSN", "postgresql://u:p4ssw0rd@h", "names no database"),
        ("POSTGRES_DSN", "postgresql://u:p4ssw0rd@h/d?gssencmode=disable", "does not know: gss"),
        ("POSTGRES_DSN", "postgresql://u:p4ssw0rd@h:port/d", "host 1 is not of the form"),
        ("POSTGRES_DSN", "postgresql://u:p4ss/w0rd@h/d", "in a password / . # are written"),
        ("POSTGRES_DSN", "postgresql://u:p4ssw0rd@a,b:70000/d", "host 2 has a port that is none"),
        ("POSTGRES_DSN", "postgresql://u:p4ssw0rd@a,/d", "host 2 is not of the form"),
        ("POSTGRES_DSN", "postgresql://u:p4ssw0rd@a,b,a/d", "names a host twice"),
        ("POSTGRES_DSN", "postgresql://u:p4ssw0rd@a,b", "names no database"),
        ("POSTGRES_DSN", "postgresql://u:p4ssw0rd@/d", "names no host"),
        ("POSTGRES_DSN", "postgresql://u:p4ssw0rd@a,b/d?host=c", "names hosts twice"),
        ("POSTGRES_DSN", "postgresql://u:p4ssw0rd@a,b,c/d?port=1,2", "one port for all hosts"),
        ("POSTGRES_DSN", "postgresql://u:p4ssw0rd@a,b/d?port=x", "a port that is no number"),
        (
            "POSTGRES_DSN",
            "postgresql://u:p4ssw0rd@a,b/d?target_session_attrs=standby",
            "target_session_attrs that is not read-write, primary or any",
        ),
        ("POSTGRES_PASSWORD", "p4ssw0rd", "is set, but neither POSTGRES_HOST nor POSTGRES_DSN"),
        ("REDIS_PASSWORD", "p4ssw0rd", "is set, but neither REDIS_HOST nor REDIS_URL"),
        ("REDIS_URL", "http://h", "must begin with redis://"),
        ("REDIS_URL", "unix://:p4ssw0rd@", "names no socket"),
        ("REDIS_URL", "redis+sentinel://:p4ssw0rd@a,b", "names no service"),
        ("REDIS_URL", "redis+sentinel://:p4ssw0rd@/mymaster", "names no host"),
        ("REDIS_URL", "redis+sentinel://:p4ssw0rd@a,b:x/mymaster", "host 2 is not of the form"),
        ("REDIS_URL", "redis+sentinel://:p4ssw0rd@a:1,a:1/mymaster", "host 2 is there twice"),
        ("REDIS_URL", "redis+sentinel://:p4ssw0rd@a/mymaster/one", "database that is no number"),
        ("REDIS_URL", "redis+sentinel://:p4ssw0rd@a/mymaster?db=1", "knows no option after"),
        ("REDIS_URL", "redis+sentinel://:p4ss#w0rd@a/mymaster", "is not a URL"),
        ("REDIS_URL", "redis+cluster://:p4ssw0rd@", "names no host"),
        ("REDIS_URL", "redis+cluster://:p4ssw0rd@a:0,b", "host 1 has a port that is none"),
        ("REDIS_URL", "redis+cluster://:p4ssw0rd@a,b/1", "a cluster has only number 0"),
        ("REDIS_URL", "redis+cluster://:p4ssw0rd@a,b?db=0", "knows no options"),
        ("NODE_NAME", "a node", "must be 1 to 64"),
        ("SHEETS_CREDS", "/nowhere/at/all.json", "No such file"),
        ("SHEETS_CREDS", "{broken json}", "is not the JSON file of a service account"),
        ("SHEETS_ID", "short", "is neither a sheet's id nor its address"),
        ("SHEETS_ID", "1AbCdEfGhIjKlMnOpQrStUvWxYz", "is set, but SHEETS_CREDS is not"),
        ("LANGUAGE", "de", "must be 'ru' or 'en'"),
        ("BOT_TOKEN_FILE", "/nowhere/token", "is set twice"),
        ("STATUS_TOKEN_FILE", "/nowhere/token", r"cannot be read from the file .*\(No such file"),
        ("PACE_GROUP_PER_MIN", "nan", "should be"),
        ("STATUS_USERS", "olga", "must be JSON"),
        ("STATUS_USERS", "{}", "1 to 100 names"),
        ("STATUS_USERS", '{"a b": {}}', "has a name that"),
        ("STATUS_USERS", '{"operator": {"role": "viewer", "password": "x"}}', "name that is taken"),
        ("STATUS_USERS", '{"olga": {"role": "viewer"}}', "needs role and password"),
        (
            "STATUS_USERS",
            '{"olga": {"role": "root", "password": "p4ssw0rd"}}',
            "viewer or operator",
        ),
        (
            "STATUS_USERS",
            '{"olga": {"role": "viewer", "password": "p4ssw0rd"}}',
            "topicdesk password",
        ),
    ],
)
def test_a_wrong_setting_is_explained(name: str, text: str, says: str) -> None:
    secret = {} if name == "WEBHOOK_SECRET" else {"WEBHOOK_SECRET": SECRET}
    (problem,) = problems({**secret, name: text}).values()
    assert name.startswith(problem.name)
    assert re.search(says, problem.problem)


def test_a_mistake_never_shows_the_value_of_a_secret(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("hush-hush-hush")
    found = problems({"BOT_TOKEN": None, "BOT_TOKEN_FILE": str(tmp_path / "token")})
    assert "hush" not in str(found)


def test_every_secret_may_come_from_a_file(tmp_path: Path) -> None:
    creds = {"client_email": "a@b", "private_key": "KEY", "token_uri": "https://x"}
    files = {
        "BOT_TOKEN": TOKEN + "\n",
        "WEBHOOK_SECRET": SECRET,
        "STATUS_TOKEN": SECRET,
        "SHEETS_CREDS": json.dumps(creds),
        "POSTGRES_PASSWORD": "p@ss/word",
        "REDIS_PASSWORD": "p:w",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    base = {name: text for name, text in GOOD.items() if name != "BOT_TOKEN"}
    settings = load_settings(
        base
        | {f"{name}_FILE": str(tmp_path / name) for name in files}
        | {
            "WEBHOOK_URL": "https://desk.example.org/",
            "POSTGRES_HOST": "db",
            "REDIS_HOST": "::1",
            "SHEETS_ID": "https://docs.google.com/spreadsheets/d/1AbCdEfGhIjKlMnOpQrStUvWxYz/edit#gid=0",
        },
        None,
    )
    assert settings.bot_token.get_secret_value() == TOKEN
    assert settings.webhook_endpoint is not None
    assert settings.webhook_endpoint.get_secret_value() == (
        f"https://desk.example.org/webhook/{SECRET}"
    )
    assert settings.database is not None
    assert settings.database.get_secret_value() == (
        "postgresql+asyncpg://topicdesk:p%40ss%2Fword@db:5432/topicdesk"
    )
    assert settings.redis is not None
    assert settings.redis.get_secret_value() == "redis://:p%3Aw@[::1]:6379/0"
    assert settings.sheets_id == "1AbCdEfGhIjKlMnOpQrStUvWxYz"
    secrets = set(settings.secrets())
    assert {TOKEN, "A" * 35, SECRET, "p@ss/word", "p:w", "KEY"} <= secrets


@pytest.mark.parametrize(
    ("given", "driver"),
    [
        ("postgres://u:p@h/d?sslmode=require", "postgresql+asyncpg://u:p@h/d?ssl=require"),
        ("postgresql://u:p@h:6/d", "postgresql+asyncpg://u:p@h:6/d"),
        ("postgresql+asyncpg://u@/d?host=/tmp/x", "postgresql+asyncpg://u@/d?host=/tmp/x"),
        (
            "postgresql://u:p%40@h1:5433,h2/d?sslmode=require&target_session_attrs=primary",
            (
                "postgresql+asyncpg://u:p%40@/d"
                "?host=h1,h2&port=5433,5432&target_session_attrs=primary&ssl=require"
            ),
        ),
        (
            "postgresql://u:p@/d?host=h1:5433&host=h2:5434",
            "postgresql+asyncpg://u:p@/d?host=h1,h2&port=5433,5434&target_session_attrs=read-write",
        ),
        (
            "postgres://u:p@[::1]:5433,[::2]/d?port=5434",
            (
                "postgresql+asyncpg://u:p@/d"
                "?host=::1,::2&port=5433,5434&target_session_attrs=read-write"
            ),
        ),
    ],
)
def test_a_dsn_is_made_one_for_the_driver(given: str, driver: str) -> None:
    settings = load_storage_settings({"POSTGRES_DSN": given}, None)
    assert settings.database is not None
    assert settings.database.get_secret_value() == driver


@pytest.mark.parametrize(
    "given",
    [
        "redis://:p4ssw0rd@h:6379/0",
        "redis+sentinel://:p4ssw0rd@h1:26379,h2:26379/mymaster/0",
        "rediss+sentinel://user:p4ssw0rd@h1,[::1]:26380/mymaster?sentinel_password=0th3r",
        "redis+cluster://:p4ssw0rd@h1:6379,h2:6379",
        "rediss+cluster://user:p4ssw0rd@h1,h2/0",
    ],
)
def test_an_address_of_redis_is_taken_as_it_is_and_its_passwords_are_known_to_the_mask(
    given: str,
) -> None:
    settings = load_storage_settings({"REDIS_URL": given}, None)
    assert settings.redis is not None
    assert settings.redis.get_secret_value() == given
    assert "p4ssw0rd" not in repr(settings)
    assert "p4ssw0rd" in settings.secrets()
    assert ("0th3r" in settings.secrets()) == ("0th3r" in given)


def test_the_forms_of_redis_addresses_are_read_to_their_parts() -> None:
    sentinel = parse("rediss+sentinel://user:p%40@h1:7,[::1]/my%2Fmaster/3?sentinel_password=s")
    assert sentinel == SentinelAddress(
        sentinels=(Host(name="h1", port=7), Host(name="::1", port=26379)),
        service="my/master",
        database=3,
        tls=True,
        username="user",
        password="p@",
        sentinel_password="s",
    )
    assert parse("redis+cluster://:p%40@h1,h2:7") == ClusterAddress(
        servers=(Host(name="h1", port=6379), Host(name="h2", port=7)), password="p@"
    )
    assert "p@" not in repr(sentinel)


def test_a_password_of_several_postgres_servers_is_known_to_the_mask() -> None:
    dsn = "postgresql://u:p%40ss@h1,h2/d"
    assert {"p@ss", "p%40ss"} <= set(load_storage_settings({"POSTGRES_DSN": dsn}, None).secrets())


def test_a_server_is_named_in_one_way_only() -> None:
    found = problems({"POSTGRES_DSN": "postgresql://u@h/d", "POSTGRES_HOST": "h"})
    assert found["POSTGRES_HOST"].problem.startswith("is set beside POSTGRES_DSN")


def test_storage_alone_needs_no_bot() -> None:
    assert load_storage_settings({"BOT_TOKEN": "nonsense"}, None).data_dir == Path("data")


def test_another_api_server_has_its_own_rules() -> None:
    settings = loaded(
        TELEGRAM_API_URL="http://127.0.0.1:8081/",
        BOT_TOKEN="42:demo",
        WEBHOOK_URL="http://127.0.0.1:8080",
        WEBHOOK_SECRET=SECRET,
    )
    assert settings.telegram_api_url == "http://127.0.0.1:8081"
    assert not settings.is_official_api


@pytest.mark.parametrize(
    ("environment", "written", "language"),
    [
        ("en_US:en", None, "ru"),
        ("en_US:en", "en", "en"),
        ("de", "en", "en"),
        ("en", "ru", "en"),
        ("", None, "ru"),
    ],
)
def test_the_language_of_a_desktop_is_not_mistaken_for_ours(
    environment: str, written: str | None, language: str
) -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".env") as file:
        if written:
            file.write(f"LANGUAGE={written}\n")
            file.flush()
        settings = load_settings({**GOOD, "LANGUAGE": environment}, Path(file.name))
    assert settings.language == language


def test_what_kubernetes_sets_for_a_service_is_not_taken_for_a_port() -> None:
    assert loaded(REDIS_PORT="tcp://10.0.0.1:6379").redis_port == 6379


def test_names_that_look_like_ours_are_pointed_out(tmp_path: Path) -> None:
    env_file = tmp_path / ".env"
    env_file.write_text("TECH_GROUP_MAPPING={}\n")
    environ = {"MAIN_GRUOP_ID": "1", "PATH": "/bin", "HOME": "/", "EDITOR": "vi", "BOT_TOKEN": "x"}
    assert doubtful_names(environ, env_file) == (
        ("MAIN_GRUOP_ID", "MAIN_GROUP_ID"),
        ("TECH_GROUP_MAPPING", "TECH_GROUPS_MAPPING"),
    )
