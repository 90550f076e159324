"""Who the operator tells of orders, as the chart says it: settings that it takes, files, and one way out."""

import os
from unittest import mock

from common.wire import Json
from dev.release import render
from saga_operator.settings import Settings
from tests.packaging.chart.charts import environment, rendered, run_helm

SINK = ("--set", "events.sink=https://hooks.example.com/orders?to=books")
SECRET = (*SINK, "--set", "events.secret=order-events")
ALL = (*SECRET, "--set", "events.keys={secret,token,ca.crt}", "--set", "events.source=https://shop.example.com")
CUSTOMERS = ("--set", "operator.tellCustomers=true")


def pod_of(*arguments: str) -> Json:
    found: Json = rendered(*arguments)("Deployment", "ordersaga-operator")["spec"]["template"]["spec"]
    return found


def settings_of(pod: Json) -> Settings:
    given = {name: value for name, value in environment(pod["containers"][0]).items() if isinstance(value, str)}
    with mock.patch.dict(os.environ, given, clear=True):
        return Settings()


def test_nobody_is_told_unless_there_is_an_address() -> None:
    without = pod_of()
    settings = settings_of(without)
    assert (settings.events_sink, settings.tell_customers) == ("", False)
    assert pod_of("--set", "events.secret=order-events") == without
    policy = ("NetworkPolicy", "ordersaga-operator")
    assert rendered()(*policy) == rendered(*CUSTOMERS)(*policy)


def test_the_operator_takes_the_settings_and_finds_every_file_where_it_looks() -> None:
    pod = pod_of(*ALL)
    settings = settings_of(pod)
    assert settings.events_sink == "https://hooks.example.com/orders?to=books"
    assert settings.events_source == "https://shop.example.com"
    (volume,) = [each["secret"] for each in pod["volumes"] if each["name"] == "events"]
    (mount,) = [each for each in pod["containers"][0]["volumeMounts"] if each["name"] == "events"]
    assert volume["secretName"] == "order-events"
    there = {f"{mount['mountPath']}/{item['path']}" for item in volume["items"]}
    assert there == {str(each) for each in (settings.events_secret, settings.events_token, settings.events_ca_file)}
    alone = settings_of(pod_of(*SECRET))
    assert (alone.events_token, alone.events_ca_file) == (None, None), "the kubelet would wait for what isn't there"


def test_a_sink_needs_no_secret_and_no_other_files() -> None:
    plain = pod_of(*SINK, "--set", "tls.enabled=false", "--set", "authentication.mode=development")
    assert settings_of(plain).events_secret is None
    assert "volumes" not in plain
    bare = pod_of(*SECRET, "--set", "tls.enabled=false", "--set", "authentication.mode=development")
    assert [each["name"] for each in bare["volumes"]] == ["events"]


def test_the_operator_has_one_way_out_and_nobody_else_has() -> None:
    without, there = rendered(), rendered(*SINK, "--set", "networkPolicy.events.ports={8443}")
    before = without("NetworkPolicy", "ordersaga-operator")["spec"]["egress"]
    after = there("NetworkPolicy", "ordersaga-operator")["spec"]["egress"]
    assert after == [*before, {"ports": [{"protocol": "TCP", "port": 8443}]}]
    for name in ("order-service", "payment-service", "notification-service"):
        assert there("NetworkPolicy", name) == without("NetworkPolicy", name)


def test_customers_are_told_where_the_values_say_so() -> None:
    assert settings_of(pod_of(*CUSTOMERS)).tell_customers


def test_what_can_not_work_is_refused() -> None:
    for wrong in ("sink=hooks.example.com", "sink=https://me:word@hooks.example.com", "keys={pin}", "keys={}"):
        refused = run_helm("template", "shop", render.CHART, "--set", f"events.{wrong}")
        assert refused.returncode != 0, wrong
        assert wrong.split("=")[0] in refused.stderr
