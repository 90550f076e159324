"""Who delivers messages, as the chart says it: settings that the service takes, files, and one way out."""

import os
from pathlib import Path
from unittest import mock

import pytest

from common.wire import Json
from dev.release import render
from services.notification.delivery.choice import why_not
from services.notification.settings import NotificationSettings
from tests.packaging.chart.charts import environment, rendered, run_helm
from tests.support import yamls

AT = "services.notification.provider"
SMTP = (
    *("--set", f"{AT}.kind=smtp", "--set", f"{AT}.smtp.host=smtp.example.com", "--set", f"{AT}.existingSecret=mail"),
    *("--set", f"{AT}.smtp.from=orders@shop.example", "--set", f"{AT}.caKey=ca.crt", "--set", f"{AT}.messages=words"),
)
HOOK = (
    "--set",
    f"{AT}.kind=webhook",
    "--set",
    f"{AT}.existingSecret=hook",
    "--set",
    f"{AT}.webhook.url=https://h.example/x",
)


def pod_of(*arguments: str) -> Json:
    found: Json = rendered(*arguments)("Deployment", "notification-service")["spec"]["template"]["spec"]
    return found


def ways_out(*arguments: str) -> list[Json]:
    found: list[Json] = rendered(*arguments)("NetworkPolicy", "notification-service")["spec"]["egress"]
    return found


@pytest.mark.parametrize("arguments", [(), SMTP, HOOK], ids=["test", "smtp", "webhook"])
def test_the_service_takes_the_settings_and_finds_every_file_where_it_looks(arguments: tuple[str, ...]) -> None:
    pod = pod_of(*arguments)
    (container,) = pod["containers"]
    given = {name: value for name, value in environment(container).items() if isinstance(value, str)}
    with mock.patch.dict(os.environ, given, clear=True):
        settings = NotificationSettings()
    assert why_not(settings) is None
    mounts = {each["mountPath"]: each["name"] for each in container["volumeMounts"]}
    volumes = {each["name"]: each for each in pod["volumes"]}
    named = [value for value in given.values() if value.startswith("/etc/ordersaga/")]
    for path in named:
        folder = path if path in mounts else str(Path(path).parent)
        assert mounts[folder] in volumes, path
    expected = {"provider", "messages"} if arguments is SMTP else {"provider"} if arguments is HOOK else set()
    assert volumes.keys() & {"provider", "messages"} == expected
    assert len(volumes) == len(pod["volumes"])


def test_only_the_notification_service_knows_of_it() -> None:
    for service in ("order", "inventory", "payment", "shipping"):
        (container,) = rendered(*SMTP)("Deployment", f"{service}-service")["spec"]["template"]["spec"]["containers"]
        assert not {name for name in environment(container) if "SMTP" in name or "MESSAGES" in name}


@pytest.mark.parametrize(
    ("arguments", "port"),
    [
        (SMTP, 587),
        ((*SMTP, "--set", f"{AT}.smtp.port=465"), 465),
        (HOOK, 443),
        ((*HOOK, "--set", f"{AT}.webhook.url=https://h.example:8443/x"), 8443),
    ],
)
def test_one_port_is_opened_to_who_delivers_and_none_by_default(arguments: tuple[str, ...], port: int) -> None:
    more = [each for each in ways_out(*arguments) if each not in ways_out()]
    assert more == [{"ports": [{"protocol": "TCP", "port": port}]}]
    peers = '[{"ipBlock": {"cidr": "192.0.2.1/32"}}]'
    (narrow,) = [each for each in ways_out(*arguments, "--set-json", f"{AT}.to={peers}") if each not in ways_out()]
    assert narrow["to"] == yamls.load(peers)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--set", f"{AT}.kind=smtp"), "smtp.host"),
        (("--set", f"{AT}.kind=smtp", "--set", f"{AT}.smtp.host=mx.example"), "smtp.from"),
        (("--set", f"{AT}.kind=webhook", "--set", f"{AT}.existingSecret=hook"), "webhook.url"),
        (("--set", f"{AT}.kind=webhook", "--set", f"{AT}.webhook.url=https://h.example/"), "existingSecret"),
        ((*HOOK, "--set", f"{AT}.webhook.url=http://h.example/"), "url"),
        (("--set", f"{AT}.kind=pigeon"), "kind"),
        (("--set", "services.payment.provider.kind=test"), "payment"),
    ],
)
def test_what_is_missing_is_told_before_anything_is_installed(arguments: tuple[str, ...], named: str) -> None:
    refused = run_helm("template", "shop", render.CHART, *arguments)
    assert refused.returncode != 0
    assert named in refused.stderr
