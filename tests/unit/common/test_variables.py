"""A misspelt setting ends a program; whatever else is in an environment doesn't."""

import pytest

from common.variables import UnknownVariable, refuse_unknown


def test_a_misspelt_setting_is_refused_and_the_right_one_named() -> None:
    with pytest.raises(UnknownVariable) as refused:
        refuse_unknown({"ORDERSAGA_NAMESPACE": "shop", "ORDERSAGA_LOG_LEVL": "DEBUG", "ordersaga_sweep_intervall": "5"})
    assert "ORDERSAGA_LOG_LEVL (did you mean ORDERSAGA_LOG_LEVEL?)" in str(refused.value)
    assert "ordersaga_sweep_intervall (did you mean ORDERSAGA_SWEEP_INTERVAL?)" in str(refused.value)
    assert "ORDERSAGA_NAMESPACE" not in str(refused.value)


def test_one_that_is_like_no_other_is_refused_too() -> None:
    with pytest.raises(UnknownVariable, match=r"ORDERSAGA_XYZ: docs/settings\.md"):
        refuse_unknown({"ORDERSAGA_XYZ": ""})


def test_what_belongs_to_others_is_left_alone() -> None:
    refuse_unknown(
        {"PATH": "/bin", "UVICORN_PORT": "8000", "ordersaga_log_level": "INFO", "ORDERSAGA_LOCAL_X_PORT": "1"}
    )


def test_the_variables_that_a_kubelet_makes_of_services_are_no_settings() -> None:
    links = ("SERVICE_HOST", "SERVICE_PORT", "SERVICE_PORT_HTTP", "PORT_8080_TCP", "PORT_8080_TCP_ADDR")
    refuse_unknown({f"ORDERSAGA_OPERATOR_{link}": "10.0.0.1" for link in links})
    refuse_unknown({"ORDERSAGA_OPERATOR_PORT": "tcp://[fd00::1]:8080"})
    with pytest.raises(UnknownVariable, match="ORDERSAGA_PUBLC_PORT"):
        refuse_unknown({"ORDERSAGA_PUBLC_PORT": "8080"})
