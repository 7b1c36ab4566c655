"""What is deployed says what the program is: settings, ports, health, limits, common mistakes."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from bootstrap.app import STOP_S
from bootstrap.cli import main
from bootstrap.settings import Settings, is_secret, load_settings
from web.webhook import WebhookOptions

ROOT = Path(__file__).resolve().parents[2]
BOTS = ("bot-1", "bot-2", "bot-3")
ONCE = frozenset({"ops"})
"""Run by hand for one command."""

NAMES = {
    name
    for field, info in Settings.model_fields.items()
    for name in (field.upper(), *([f"{field.upper()}_FILE"] if is_secret(info) else []))
}


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def has_docker_compose() -> bool:
    if shutil.which("docker") is None:
        return False
    asked = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
    return asked.returncode == 0


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(read("compose.yml"))
    return loaded


@pytest.fixture(scope="module")
def services(compose: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = compose["services"]
    return found


def instructions(text: str) -> list[tuple[str, str]]:
    """Of a Containerfile: each with its argument on one line."""
    joined = re.sub(r"\\\n", " ", re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE))
    lines = (line.split(maxsplit=1) for line in joined.splitlines() if line.strip())
    return [(parts[0], re.sub(r"\s+", " ", parts[1])) for parts in lines]


def stages(text: str) -> list[list[tuple[str, str]]]:
    found: list[list[tuple[str, str]]] = []
    for each in instructions(text):
        if each[0] == "FROM":
            found.append([])
        found[-1].append(each)
    return found


def mistakes(text: str) -> list[str]:
    """Common ones of Containerfiles; those of the last stage, which is what runs, for itself."""
    found: list[str] = []
    known: dict[str, list[tuple[str, str]]] = {}
    for stage in stages(text):
        image, _, name = stage[0][1].partition(" AS ")
        inherited = known.get(image, [])
        if image not in known and (":" not in image.rpartition("/")[2] or image.endswith("latest")):
            found.append(f"{image} is not pinned")
        known[name] = inherited + stage[1:]
        for word, argument in stage:
            if word == "ADD":
                found.append("ADD fetches and unpacks; COPY says what it does")
            if word == "COPY" and re.match(r"\.\s", argument):
                found.append("COPY . takes what nobody looked at")
            if word == "RUN" and "apt-get install" in argument:
                if "--no-install-recommends" not in argument:
                    found.append("apt-get install takes what is only recommended")
                if "rm -rf /var/lib/apt/lists" not in argument:
                    found.append("the lists of apt stay in the image")
            if word == "RUN" and re.search(r"\b(curl|wget)\b.*\|\s*(ba)?sh", argument):
                found.append("a script from the net is run unseen")
            if word in {"ENV", "ARG"} and re.search(r"(TOKEN|PASSWORD|SECRET)\w*=", argument):
                found.append("a secret stands in the image")
            if word in {"CMD", "ENTRYPOINT"} and not argument.startswith("["):
                found.append(f"{word} runs in a shell, which passes no signal on")
    final = known.get("", [])
    users = [argument for word, argument in final if word == "USER"]
    if not users or re.match(r"(root|0)(:|$)", users[-1]):
        found.append("it runs as root")
    wanted = ("HEALTHCHECK", "STOPSIGNAL", "ENTRYPOINT")
    return found + [f"there is no {each}" for each in wanted if each not in dict(final)]


def test_the_containerfile_has_none_of_the_common_mistakes() -> None:
    assert mistakes(read("Containerfile")) == []


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("FROM docker.io/library/python:3.13-slim-trixie AS build", "FROM python", "not pinned"),
        ("USER 10001:10001", "USER root", "runs as root"),
        ("HEALTHCHECK", "LABEL x=", "no HEALTHCHECK"),
        ("STOPSIGNAL", "LABEL x=", "no STOPSIGNAL"),
        ("COPY bot bot", "COPY . /src", "COPY ."),
        ("COPY bot bot", "ADD bot bot", "ADD"),
        ("--no-install-recommends", "", "only recommended"),
        ("rm -rf /var/lib/apt/lists/*", "true", "lists of apt"),
        ("HTTP_BIND=0.0.0.0:8080", "BOT_TOKEN=1:x", "a secret"),
        ('CMD ["run"]', "CMD run", "in a shell"),
    ],
)
def test_the_lint_finds_each_mistake(right: str, wrong: str, said: str) -> None:
    text = read("Containerfile")
    assert right in text
    assert any(said in mistake for mistake in mistakes(text.replace(right, wrong)))


def test_the_image_holds_every_package_of_the_program_and_nothing_private() -> None:
    """What is copied is what ``.dockerignore`` lets in, and that is what the wheel is made of."""
    copied = {
        source
        for word, argument in instructions(read("Containerfile"))
        if word == "COPY" and not argument.startswith("--from")
        for source in argument.split()[:-1]
    }
    allowed = {line[1:] for line in read(".dockerignore").splitlines() if line.startswith("!")}
    assert copied == allowed
    assert read(".dockerignore").splitlines()[1] == "*"
    build = tomllib.loads(read("pyproject.toml"))["tool"]["hatch"]["build"]
    packages = set(build["targets"]["wheel"]["packages"])
    assert packages <= copied
    for path in copied:
        assert (ROOT / path).exists(), path


def test_the_health_check_is_the_same_in_the_image_and_in_compose(services: dict[str, Any]) -> None:
    [checked] = [
        a for w, a in instructions(read("Containerfile")) if w == "HEALTHCHECK" and "CMD" in a
    ]
    test = services["bot-1"]["healthcheck"]["test"]
    assert yaml.safe_load(checked.partition(" CMD ")[2]) == test[1:]


def test_three_nodes_differ_only_by_their_name(services: dict[str, Any]) -> None:
    assert {name for name in services if name.startswith("bot-")} == set(BOTS)
    for name in BOTS:
        environment = services[name]["environment"]
        assert environment["NODE_NAME"] == name
        others = {k: v for k, v in services[name].items() if k != "environment"}
        assert others == {k: v for k, v in services["bot-1"].items() if k != "environment"}


def test_every_name_that_is_set_is_a_setting(services: dict[str, Any]) -> None:
    for name in (*BOTS, "ops"):
        assert set(services[name]["environment"]) <= NAMES
    environment = re.search(
        r"^ENV PATH.*?\n(?!    )", read("Containerfile"), re.DOTALL | re.MULTILINE
    )
    assert environment is not None
    words = set(re.findall(r"\b([A-Z_]+)=", environment[0]))
    assert words - {"PATH"} - {n for n in words if n.startswith("PYTHON")} <= NAMES


def test_the_nodes_start_with_these_settings(services: dict[str, Any], tmp_path: Path) -> None:
    """Beside an ``.env`` that was copied from the example and has the group filled in."""
    values = {
        "bot_token": "123456789:" + "A" * 35,
        **dict.fromkeys(("webhook_secret", "status_token"), "s" * 64),
        **dict.fromkeys(("postgres_password", "redis_password"), "p" * 64),
    }
    environ = dict(services["bot-1"]["environment"])
    for name in services["bot-1"]["secrets"]:
        (tmp_path / name).write_text(f"{values.pop(name)}\n")
        environ[f"{name.upper()}_FILE"] = str(tmp_path / name)
        assert services["bot-1"]["environment"][f"{name.upper()}_FILE"] == f"/run/secrets/{name}"
    assert not values
    environ["WEBHOOK_URL"] = re.sub(r"\$\{[^}]*\}", "desk.example.org", environ["WEBHOOK_URL"])
    env = tmp_path / ".env"
    env.write_text(
        read(".env.example").replace("\nMAIN_GROUP_ID=\n", "\nMAIN_GROUP_ID=-1001234567890\n")
        + "\nDESK_HOST=desk.example.org\n"
    )
    settings = load_settings(environ, env)
    assert settings.webhook_endpoint is not None
    assert settings.http_bind == "0.0.0.0:8080"
    assert settings.webhook_bind == "0.0.0.0:8090"
    assert settings.database is not None
    assert "@postgres:5432/topicdesk" in settings.database.get_secret_value()
    assert settings.redis is not None
    assert "@redis:6379/0" in settings.redis.get_secret_value()


def test_every_service_is_limited_looked_at_and_started_again(services: dict[str, Any]) -> None:
    for name, service in services.items():
        assert service["cpus"] > 0, name
        assert re.fullmatch(r"\d+[mg]", service["mem_limit"]), name
        assert service["pids_limit"] > 0, name
        assert "no-new-privileges:true" in service["security_opt"], name
        assert service["restart"] == ("no" if name in ONCE else "unless-stopped"), name
        if name not in ONCE:
            assert {"test", "interval", "timeout", "retries"} <= set(service["healthcheck"]), name
        if name != "postgres":  # its image begins as root, to make its folder
            assert service["cap_drop"] == ["ALL"], name
        assert "privileged" not in service


def test_images_are_pinned_and_no_secret_stands_in_the_file(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        tag = service["image"].rpartition("/")[2].partition(":")[2]
        assert tag, name
        assert tag != "latest", name
        for setting, value in service.get("environment", {}).items():
            if re.search(r"TOKEN|PASSWORD|SECRET", setting):
                assert setting.endswith("_FILE"), setting
                assert value.startswith("/run/secrets/"), setting
        assert set(service.get("secrets", [])) <= set(compose["secrets"]), name
    for secret in compose["secrets"].values():
        assert secret["file"].startswith("./secrets/")
    assert "secrets/" in read(".gitignore").splitlines()


def test_nodes_can_write_nowhere_and_are_given_time_to_end(services: dict[str, Any]) -> None:
    for name in BOTS:
        assert services[name]["read_only"] is True
        assert int(services[name]["stop_grace_period"].removesuffix("s")) > STOP_S


def test_the_stores_are_reached_from_inside_only(compose: dict[str, Any]) -> None:
    assert compose["networks"]["back"] == {"internal": True}
    for name in ("postgres", "redis"):
        assert compose["services"][name]["networks"] == ["back"]
        assert "ports" not in compose["services"][name]
    for name, service in compose["services"].items():
        for port in service.get("ports", []):
            assert name == "caddy" or port.startswith("127.0.0.1:"), name


def test_postgres_takes_the_connections_of_all_nodes(services: dict[str, Any]) -> None:
    [limit] = re.findall(r"max_connections=(\d+)", " ".join(services["postgres"]["command"]))
    fields = Settings.model_fields
    each = fields["postgres_pool_size"].default + fields["postgres_pool_overflow"].default
    assert int(limit) > len(BOTS) * each + 10


def test_the_proxy_passes_to_every_node_and_looks_whether_it_is_there() -> None:
    text = read("deploy/Caddyfile")
    webhook, pages = (found.split() for found in re.findall(r"import nodes (.+)", text))
    assert webhook == [f"{name}:8090" for name in BOTS]
    assert pages == [f"{name}:8080" for name in BOTS]
    assert re.search(r"reverse_proxy \{args\[:\]\} \{", text)
    assert re.search(r"health_port 8080\s+health_uri /healthz", text)
    assert "lb_try_duration" in text
    assert "handle /webhook/*" in text
    assert "{$DESK_HOST}" in text
    assert WebhookOptions(secret="s" * 16).body_bytes_max == 1_000_000
    assert "max_size 1MB" in text
    assert "@inside path /metrics /readyz" in text
    assert re.search(r"handle @inside \{\s+respond 404\s+\}", text), "handle goes before respond"


def test_prometheus_asks_every_node_and_what_is_mounted_is_there(services: dict[str, Any]) -> None:
    scraped = yaml.safe_load(read("deploy/prometheus/prometheus.yml"))["scrape_configs"][0]
    assert scraped["static_configs"][0]["targets"] == [f"{name}:8080" for name in BOTS]
    token = scraped["authorization"]["credentials_file"]
    assert token.removeprefix("/run/secrets/") in services["prometheus"]["secrets"]
    for service in services.values():
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            if source.startswith("./deploy"):
                assert (ROOT / source).exists(), source


def anchors_of(name: str) -> set[str]:
    """The headings of a document, as GitHub makes links of them."""
    headings = re.findall(r"^#+ (.+)$", read(name), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", ["operations.md", "security.md", "scaling.md"])
def test_every_link_of_a_document_leads_somewhere_and_the_readmes_lead_there(name: str) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", read(f"docs/{name}")):
        if "://" in target:
            continue
        file, _, anchor = target.partition("#")
        assert (ROOT / "docs" / (file or name)).exists(), target
        assert not anchor or anchor in anchors_of(f"docs/{file or name}"), target
    for readme in ("README.md", "README.ru.md"):
        assert f"(docs/{name}" in read(readme)


def test_the_documents_name_only_settings_commands_and_options_that_there_are() -> None:
    text = "".join(read(f"docs/{name}.md") for name in ("operations", "security", "scaling"))
    for words in re.findall(r"`topicdesk ([a-z]+(?: [a-z]+)?)", text):
        command: click.Command = main
        for word in words.split():
            if isinstance(command, click.Group):
                command = command.commands[word]
    prefixes = "BOT|MAIN|TECH|ADMIN|WEBHOOK|STATUS|TELEGRAM|HTTP|DATA|POSTGRES|REDIS|SHEETS|NODE"
    for name in re.findall(rf"`((?:{prefixes})_[A-Z_]+)`", text):
        assert name in NAMES, name


def test_every_alert_has_a_section_in_the_runbook() -> None:
    rules = yaml.safe_load(read("deploy/prometheus/rules.yml"))
    wanted = [
        rule["annotations"]["runbook"]
        for group in rules["groups"]
        for rule in group["rules"]
        if "alert" in rule
    ]
    assert wanted
    anchors = anchors_of("docs/operations.md")
    for runbook in wanted:
        file, _, anchor = runbook.partition("#")
        assert file == "docs/operations.md"
        assert anchor in anchors, runbook


@pytest.mark.skipif(not has_docker_compose(), reason="this machine has no docker compose")
def test_docker_compose_takes_the_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("DESK_HOST=desk.example.org\n")
    for name in ("compose.yml", "Containerfile"):
        (tmp_path / name).write_text(read(name))
    checked = subprocess.run(
        ["docker", "compose", "--profile", "*", "config", "--quiet"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr


def test_the_workflow_runs_what_everybody_runs_and_may_do_no_more_than_it_needs() -> None:
    workflow = yaml.safe_load(read(".github/workflows/ci.yml"))
    assert workflow["permissions"] == {"contents": "read"}
    matrix = workflow["jobs"]["test"]["strategy"]["matrix"]
    assert matrix["python"] == ["3.13", "3.14"]
    assert {name.partition("-")[0] for name in matrix["os"]} == {"ubuntu", "macos"}
    assert any(step.get("run") == ".ci/run" for step in workflow["jobs"]["test"]["steps"])
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"] <= 60
        for step in job["steps"]:
            if "uses" in step:
                assert re.fullmatch(r"[\w-]+/[\w-]+@v\d+", step["uses"]), step["uses"]
    publish = workflow["jobs"]["publish"]
    assert publish["permissions"] == {"contents": "read", "packages": "write"}
    assert publish["if"] == "startsWith(github.ref, 'refs/tags/v')"
    assert set(publish["needs"]) == {"test", "image"}


def test_versions_of_all_kinds_are_kept_up_to_date() -> None:
    updates = yaml.safe_load(read(".github/dependabot.yml"))["updates"]
    kinds = {update["package-ecosystem"] for update in updates}
    assert kinds == {"pip", "github-actions", "docker", "docker-compose"}
