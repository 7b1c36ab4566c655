"""Settings out of HashiCorp Vault: one secret of a KV engine, version 2, its keys our names."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from bootstrap import parsing

TIMEOUT_S: Final = 5.0
"""For each of two requests; a program that starts has nothing else to do, and says so soon."""

OWN: Final = frozenset(
    {"VAULT_ADDR", "VAULT_PATH", "VAULT_ROLE_ID", "VAULT_SECRET_ID", "VAULT_TOKEN"}
)
"""How Vault is reached cannot stand in Vault."""


class VaultProblem(ValueError):
    """Vault did not give the settings: ``name`` is the setting to look at. Never holds a value."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(problem)
        self.name = name


def settings_of_vault(texts: Mapping[str, str]) -> dict[str, str]:
    """What the secret at ``VAULT_PATH`` holds, by upper-case name; nothing where that is not set.

    ``VAULT_ADDR`` alone asks for nothing: it stands in many shells, for the program ``vault``.

    Raises:
        VaultProblem: It is set and cannot be read.
    """
    if not texts.get("VAULT_PATH"):
        return {}
    address, mount, path = _where(texts)
    token, role, secret_id = (
        texts.get(name, "") for name in ("VAULT_TOKEN", "VAULT_ROLE_ID", "VAULT_SECRET_ID")
    )
    if bool(token) == bool(role):
        raise VaultProblem(
            "VAULT_PATH", "needs one of VAULT_TOKEN_FILE and VAULT_ROLE_ID, by which to log in"
        )
    if role and not secret_id:
        raise VaultProblem("VAULT_SECRET_ID_FILE", "is not set, but VAULT_ROLE_ID is")
    client = _client(address)
    try:
        if role:
            with _told("VAULT_ROLE_ID", f"the login by AppRole at {address}"):
                client.token = ""
                client.auth.approle.login(role_id=role, secret_id=secret_id)
        else:
            client.token = token
        with _told("VAULT_PATH", f"reading {mount}/{path} at {address}"):
            answer = client.secrets.kv.v2.read_secret_version(
                path=path, mount_point=mount, raise_on_deleted_version=True
            )
    finally:
        client.adapter.close()
    return _texts(answer)


def _where(texts: Mapping[str, str]) -> tuple[str, str, str]:
    if not texts.get("VAULT_ADDR"):
        raise VaultProblem("VAULT_ADDR", "is not set, but VAULT_PATH is")
    try:
        address = parsing.http_url(texts["VAULT_ADDR"])
    except ValueError as error:
        raise VaultProblem("VAULT_ADDR", str(error)) from None
    try:
        mount, _, path = parsing.vault_path(texts["VAULT_PATH"]).partition("/")
    except ValueError as error:
        raise VaultProblem("VAULT_PATH", str(error)) from None
    return address, mount, path


def _client(address: str) -> Any:
    try:
        import hvac  # noqa: PLC0415 - an extra
    except ImportError:
        raise VaultProblem(
            "VAULT_PATH", "needs the package hvac: pip install 'topicdesk[vault]'"
        ) from None
    return hvac.Client(url=address, timeout=TIMEOUT_S)


@contextmanager
def _told(name: str, what: str) -> Iterator[None]:
    """What goes wrong in words of ours: Vault's own may quote what it was given."""
    import requests  # noqa: PLC0415 - comes with hvac
    from hvac import exceptions  # noqa: PLC0415

    try:
        yield
    except exceptions.VaultDown:
        raise VaultProblem("VAULT_ADDR", f"{what}: Vault is sealed") from None
    except exceptions.VaultNotInitialized:
        raise VaultProblem("VAULT_ADDR", f"{what}: Vault is not initialised") from None
    except (exceptions.Forbidden, exceptions.Unauthorized):
        raise VaultProblem(
            name, f"{what}: permission denied; see the policy and the token"
        ) from None
    except exceptions.InvalidRequest:
        raise VaultProblem(name, f"{what}: refused; is the role or the secret id wrong?") from None
    except exceptions.InvalidPath:
        raise VaultProblem(
            name,
            f"{what}: nothing is there; it is the engine's name (KV version 2), then the secret's",
        ) from None
    except exceptions.VaultError as error:
        raise VaultProblem("VAULT_ADDR", f"{what}: {type(error).__name__}") from None
    except (requests.RequestException, OSError, ValueError) as error:
        raise VaultProblem("VAULT_ADDR", f"{what}: {type(error).__name__}") from None


def _texts(answer: Any) -> dict[str, str]:
    try:
        data = answer["data"]["data"]
        return {str(name).upper(): _text(value) for name, value in data.items()}
    except (AttributeError, KeyError, TypeError):
        raise VaultProblem(
            "VAULT_PATH", "is not a secret of a KV engine of version 2, with names and values"
        ) from None


def _text(value: object) -> str:
    """A value as it would stand in ``.env``; a mapping or a key may be JSON in Vault, too."""
    return value if isinstance(value, str) else json.dumps(value)
