"""A service as its server starts it: what is so for the whole process."""

import gc

from common.collector import LOOK_AFTER
from common.settings import ServiceSettings
from services.payment.main import build
from tests.contract.answers.test_placing_with_other_services import listening


async def test_the_garbage_collector_leaves_a_services_modules_alone() -> None:
    before = gc.get_threshold()
    gc.unfreeze()
    gc.set_threshold(700, *before[1:])
    try:
        settings = ServiceSettings(mongodb_url="mongodb://127.0.0.1:1/", mongodb_timeout_ms=100, log_level="ERROR")
        async with listening(build(settings)):
            assert gc.get_freeze_count() > LOOK_AFTER
            assert gc.get_threshold()[0] == LOOK_AFTER
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)
