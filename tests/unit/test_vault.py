"""Settings out of Vault: what they fill, by which login, and what is said when it gives none."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bootstrap.settings import (
    Settings,
    SettingsError,
    is_secret,
    load_settings,
    load_storage_settings,
)
from tests.fakes.vault import BLIND_TOKEN, ROLE_ID, SECRET_ID, TOKEN, FakeVault

BOT_TOKEN = "123456789:" + "A" * 35
KEPT = {"BOT_TOKEN": BOT_TOKEN, "MAIN_GROUP_ID": "-1001234567890"}


@pytest.fixture
def vault() -> Iterator[FakeVault]:
    with FakeVault.serve() as served:
        served.secrets["secret/topicdesk"] = dict(KEPT)
        yield served


def by_token(vault: FakeVault, **more: str) -> dict[str, str]:
    return {
        "VAULT_ADDR": vault.url,
        "VAULT_PATH": "secret/topicdesk",
        "VAULT_TOKEN": TOKEN,
        **more,
    }


def refused(environ: dict[str, str]) -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings(environ, None)
    said = str(caught.value)
    for value in (TOKEN, BLIND_TOKEN, SECRET_ID, BOT_TOKEN):
        assert value not in said
    assert "BOT_TOKEN" not in said, "what Vault would have given is not asked for as well"
    return said


def test_what_is_set_nowhere_else_comes_from_vault(vault: FakeVault) -> None:
    vault.secrets["secret/topicdesk"] = {**KEPT, "LOG_LEVEL": "ERROR", "status_token": "x" * 16}
    settings = load_settings(by_token(vault, LOG_LEVEL="DEBUG"), None)
    assert settings.bot_token.get_secret_value() == BOT_TOKEN
    assert settings.main_group_id == (-1001234567890,)
    assert settings.status_token is not None
    assert settings.log_level == "DEBUG", "the environment wins"
    assert TOKEN in set(settings.secrets())


def test_an_approle_logs_in_with_its_secret_id_from_a_file(
    vault: FakeVault, tmp_path: Path
) -> None:
    (tmp_path / "id").write_text(f"{SECRET_ID}\n")
    access = {
        "VAULT_ADDR": f"{vault.url}/",
        "VAULT_PATH": "secret/topicdesk",
        "VAULT_ROLE_ID": ROLE_ID,
        "VAULT_SECRET_ID_FILE": str(tmp_path / "id"),
    }
    assert load_settings(access, None).bot_token.get_secret_value() == BOT_TOKEN
    assert vault.logins == 1


def test_a_token_may_lie_in_a_file_and_all_of_it_in_the_env_file(
    vault: FakeVault, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text(TOKEN)
    env = tmp_path / ".env"
    env.write_text(
        f"VAULT_ADDR={vault.url}\nVAULT_PATH=secret/topicdesk\nVAULT_TOKEN_FILE={tmp_path}/token\n"
    )
    assert load_settings({}, env).bot_token.get_secret_value() == BOT_TOKEN


def test_a_file_wins_over_vault(vault: FakeVault, tmp_path: Path) -> None:
    other = "987654321:" + "B" * 35
    (tmp_path / "bot").write_text(other)
    settings = load_settings(by_token(vault, BOT_TOKEN_FILE=str(tmp_path / "bot")), None)
    assert settings.bot_token.get_secret_value() == other


def test_a_server_named_here_is_not_contradicted_by_one_named_there(vault: FakeVault) -> None:
    vault.secrets["secret/topicdesk"] = {
        **KEPT,
        "POSTGRES_DSN": "postgresql://u:there@db/desk",
        "POSTGRES_PASSWORD": "pass",
    }
    settings = load_storage_settings(by_token(vault, POSTGRES_HOST="here"), None)
    assert settings.database is not None
    assert settings.database.get_secret_value() == (
        "postgresql+asyncpg://topicdesk:pass@here:5432/topicdesk"
    )


def test_values_may_be_json_and_numbers(vault: FakeVault) -> None:
    vault.secrets["secret/topicdesk"] = {
        **KEPT,
        "MAIN_GROUP_ID": -1001234567890,
        "TECH_GROUPS_MAPPING": {"alice": -1001234567891},
    }
    settings = load_settings(by_token(vault), None)
    assert settings.main_group_id == (-1001234567890,)
    assert [group.name for group in settings.tech_groups_mapping] == ["alice"]


def test_every_secret_may_come_from_vault(vault: FakeVault) -> None:
    account = {"type": "service_account", "client_email": "a@b", "private_key": "k" * 20}
    given = {
        **KEPT,
        "WEBHOOK_URL": "https://desk.example.org",
        "WEBHOOK_SECRET": "w" * 16,
        "STATUS_TOKEN": "s" * 16,
        "SHEETS_CREDS": account | {"token_uri": "https://t", "project_id": "p"},
        "SHEETS_ID": "a" * 30,
        "POSTGRES_DSN": "postgresql://u:p@h/d",
        "REDIS_URL": "redis://:p@h/0",
    }
    vault.secrets["secret/topicdesk"] = given
    settings = load_settings(by_token(vault), None)
    for name in set(given) & {n.upper() for n, i in Settings.model_fields.items() if is_secret(i)}:
        assert getattr(settings, name.lower()) is not None, name


def test_a_bad_value_of_vaults_is_told_like_any_other(vault: FakeVault) -> None:
    vault.secrets["secret/topicdesk"] = {**KEPT, "MAIN_GROUP_ID": "12"}
    with pytest.raises(SettingsError, match="MAIN_GROUP_ID must be a group's id"):
        load_settings(by_token(vault), None)


def test_an_address_in_the_shell_alone_asks_for_nothing() -> None:
    environ = {**KEPT, "VAULT_ADDR": "http://127.0.0.1:1", "VAULT_TOKEN": "of the shell"}
    assert load_settings(environ, None).vault_path is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"VAULT_ADDR": ""}, "VAULT_ADDR is not set, but VAULT_PATH is"),
        ({"VAULT_ADDR": "vault:8200"}, "VAULT_ADDR must begin with http:// or https://"),
        ({"VAULT_ADDR": "http://127.0.0.1:1"}, "VAULT_ADDR reading secret/topicdesk at"),
        ({"VAULT_PATH": "topicdesk"}, "VAULT_PATH must be the engine's name and the secret's"),
        ({"VAULT_PATH": "secret/other"}, "nothing is there"),
        ({"VAULT_PATH": "secret/deleted"}, "nothing is there"),
        ({"VAULT_PATH": "kv/one"}, "nothing is there"),
        ({"VAULT_PATH": "kv/odd"}, "VAULT_PATH is not a secret of a KV engine of version 2"),
        ({"VAULT_TOKEN": ""}, "needs one of VAULT_TOKEN_FILE and VAULT_ROLE_ID"),
        ({"VAULT_ROLE_ID": ROLE_ID}, "needs one of VAULT_TOKEN_FILE and VAULT_ROLE_ID"),
        ({"VAULT_TOKEN": BLIND_TOKEN}, "permission denied; see the policy and the token"),
        ({"VAULT_TOKEN": "", "VAULT_ROLE_ID": ROLE_ID}, "VAULT_SECRET_ID_FILE is not set"),
        (
            {"VAULT_TOKEN": "", "VAULT_ROLE_ID": ROLE_ID, "VAULT_SECRET_ID": "wrong-wrong"},
            "VAULT_ROLE_ID the login by AppRole at",
        ),
        ({"VAULT_TOKEN": "", "VAULT_TOKEN_FILE": "/nowhere"}, "cannot be read from the file"),
    ],
)
def test_what_is_wrong_is_told_with_the_setting_to_look_at(
    vault: FakeVault, changes: dict[str, str], said: str
) -> None:
    vault.secrets["secret/deleted"] = None
    vault.plain |= {"kv/one": dict(KEPT), "kv/data/odd": {"data": "text"}}
    assert said in refused({**by_token(vault), **changes})


def test_a_sealed_vault_is_named(vault: FakeVault) -> None:
    vault.sealed = True
    assert "VAULT_ADDR reading secret/topicdesk at" in (said := refused(by_token(vault)))
    assert "Vault is sealed" in said


def test_a_server_that_is_no_vault_is_told_in_words(vault: FakeVault) -> None:
    vault.broken = b"<html>a proxy</html>"
    assert "VAULT_" in refused(by_token(vault))


def test_without_the_extra_it_is_told_what_to_install(
    vault: FakeVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "hvac", None)
    assert "pip install 'topicdesk[vault]'" in refused(by_token(vault))


def test_the_fake_answers_as_vault_does(vault: FakeVault) -> None:
    """Its shapes are those of the documents, so that the tests above mean something."""
    status, answer = vault.answer("GET", "/v1/secret/data/topicdesk", TOKEN, {})
    assert status == 200
    assert set(answer["data"]) == {"data", "metadata"}
    assert json.loads(json.dumps(answer))["data"]["data"] == KEPT
    assert vault.answer("GET", "/v1/secret/data/topicdesk", "", {})[0] == 403
