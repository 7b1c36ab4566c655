"""Rules and dashboard ask for numbers that there are, in files that their readers take."""

import json
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.acceptance.desk import Helpdesk
from tests.fakes.scrape import scrape

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy/prometheus/rules.yml"
PROMETHEUS = ROOT / "deploy/prometheus/prometheus.yml"
PAGE = ROOT / "docs/observability.md"
RUNBOOKS = ROOT / "docs/operations.md"
GRAFANA = ROOT / "deploy/grafana"

SEVERITIES = {"critical", "warning", "info"}
FROM_PROMETHEUS = {"up"}
"""What Prometheus itself adds."""

METRIC = re.compile(r"\b(?:topicdesk|process|python)_[a-z0-9_]+\b|\bup\b")


@pytest.fixture(scope="module")
def alerts() -> list[dict[str, Any]]:
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


@pytest.fixture(scope="module")
def dashboard() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((GRAFANA / "dashboard.json").read_text())
    return loaded


@pytest.fixture
async def desk(postgres_dsn: str, redis_url: str) -> AsyncIterator[Helpdesk]:
    async with Helpdesk.open("webhook", postgres_dsn, redis_url) as opened:
        yield opened


def expressions(dashboard: dict[str, Any]) -> Iterator[str]:
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            yield target["expr"]
    for annotation in dashboard["annotations"]["list"]:
        yield annotation["expr"]


async def test_whatever_is_asked_for_is_told(
    desk: Helpdesk, alerts: list[dict[str, Any]], dashboard: dict[str, Any]
) -> None:
    await desk.opens(desk.ivan)
    told = await scrape(desk.app.url)
    known = told.names | FROM_PROMETHEUS
    asked = [alert["expr"] for alert in alerts] + list(expressions(dashboard))
    assert len(asked) > 60
    for expression in asked:
        names = set(METRIC.findall(expression))
        assert names, expression
        assert names <= known, expression
    labels = {
        (sample.name, label)
        for family in told.families
        for sample in family.samples
        for label in sample.labels
    }
    for expression in asked:
        for name, chosen in re.findall(r"\b(topicdesk_\w+)\{([^}]*)\}", expression):
            for label in re.findall(r"(\w+)(?:=~|=)\"", chosen):
                assert (name, label) in labels, expression


async def test_the_page_on_metrics_names_each_with_its_kind_and_its_labels(desk: Helpdesk) -> None:
    await desk.opens(desk.ivan)
    told = await scrape(desk.app.url)
    rows = {
        family.name + ("_total" if family.type == "counter" else ""): (
            family.type,
            {label for sample in family.samples for label in sample.labels if label != "le"},
        )
        for family in told.families
        if family.name.startswith("topicdesk_")
    }
    written = {
        name: (kind, set(re.findall(r"`(\w+)`", labels)))
        for name, kind, labels in re.findall(
            r"^\| `(topicdesk_\w+)` \| (\w+) \|([^|]*)\|", PAGE.read_text(), re.MULTILINE
        )
    }
    assert written == rows


async def test_whatever_is_told_is_shown_or_watched(
    desk: Helpdesk, alerts: list[dict[str, Any]], dashboard: dict[str, Any]
) -> None:
    asked = " ".join([alert["expr"] for alert in alerts] + list(expressions(dashboard)))
    told = await scrape(desk.app.url)
    forgotten = {
        family.name
        for family in told.families
        if family.name.startswith("topicdesk_") and family.name not in asked
    }
    assert forgotten <= {
        "topicdesk_clients",
        "topicdesk_commits",
        "topicdesk_hints_lost",
        "topicdesk_mailbox_messages",
        "topicdesk_outbox_sending",
        "topicdesk_outbox_uncertain",
        "topicdesk_sent",
        "topicdesk_timers",
        "topicdesk_timers_fired",
        "topicdesk_turns",
        "topicdesk_undeliverable_kept",
    }


def test_each_alert_says_how_bad_it_is_what_it_means_and_where_help_stands(
    alerts: list[dict[str, Any]],
) -> None:
    names = [alert["alert"] for alert in alerts]
    assert len(set(names)) == len(names)
    for alert in alerts:
        assert alert["labels"]["severity"] in SEVERITIES
        assert alert["annotations"]["summary"]
        assert alert["annotations"]["description"]
        kebab = re.sub(r"(?<!^)(?=[A-Z])", "-", alert["alert"]).lower()
        assert alert["annotations"]["runbook"] == f"docs/operations.md#{kebab}"
        assert re.fullmatch(r"\d+[mh]", alert["for"])


def test_each_alert_has_a_runbook_and_each_runbook_its_alert(
    alerts: list[dict[str, Any]],
) -> None:
    alerting = RUNBOOKS.read_text().partition("\n## Alerts\n")[2]
    written = re.findall(r"^### (.+)$", alerting.partition("\n## ")[0], re.MULTILINE)
    anchors = {title.strip().lower().replace(" ", "-") for title in written}
    assert anchors == {alert["annotations"]["runbook"].partition("#")[2] for alert in alerts}


def test_each_panel_says_what_it_means_and_lies_on_no_other(dashboard: dict[str, Any]) -> None:
    taken: set[tuple[int, int]] = set()
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(ids)) == len(ids)
    for panel in dashboard["panels"]:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        cells = {
            (at["x"] + right, at["y"] + down) for right in range(at["w"]) for down in range(at["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells
        if panel["type"] != "row":
            assert panel["description"]
            assert panel["targets"]


def test_prometheus_and_grafana_are_told_of_each_other_and_of_the_nodes() -> None:
    prometheus = yaml.safe_load(PROMETHEUS.read_text())
    [scraped] = prometheus["scrape_configs"]
    assert scraped["job_name"] == "topicdesk"
    assert scraped["authorization"]["credentials_file"] == "/run/secrets/status_token"
    assert prometheus["rule_files"] == [RULES.name]
    [source] = yaml.safe_load((GRAFANA / "provisioning/datasources/prometheus.yml").read_text())[
        "datasources"
    ]
    assert (source["type"], source["uid"]) == ("prometheus", "prometheus")
    [provider] = yaml.safe_load((GRAFANA / "provisioning/dashboards/topicdesk.yml").read_text())[
        "providers"
    ]
    assert provider["options"]["path"] == "/var/lib/grafana/dashboards"


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not on the PATH")
@pytest.mark.parametrize(
    "words", [["rules", str(RULES)], ["config", "--syntax-only", str(PROMETHEUS)]]
)
def test_promtool_takes_the_files(words: list[str]) -> None:
    command = [shutil.which("promtool") or "promtool", "check", *words]
    checked = subprocess.run(command, check=False, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr
