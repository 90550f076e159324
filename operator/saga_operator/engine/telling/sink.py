"""The HTTP sink of lifecycle events: one POST for each, signed, and what its answer means."""

import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from yarl import URL

from common.exchange import Answer, Exchanges, NoAnswer, NotSent
from common.identity.bearer import Bearer
from saga_operator.engine.telling.outbox import TAKEN, Answered, Result
from saga_operator.engine.telling.signature import NoSecret, Secrets, signed
from saga_operator.resource.lifecycle import MEDIA_TYPE, Lifecycle
from saga_operator.settings import Settings

TIMEOUT: Final = 10.0
"""Seconds for a whole exchange, twice a participant's: it may be far away. A receiver stores an event and answers; it
works on it after that.
"""
CONCURRENCY: Final = 8
"""Events on their way at once, of different orders."""
OF_THE_SINK: Final = frozenset({401, 403, 404, 405, 407, 408, 410, 425, 429})
"""Answers that any event would get: the address is wrong, who sends isn't believed, or there are too many."""


class Sink:
    """Usable inside one event loop."""

    def __init__(self, settings: Settings, now: Callable[[], float] = time.time) -> None:
        """`now`: seconds since the epoch. A receiver refuses what was signed minutes ago."""
        self._now = now
        url = URL(settings.events_sink)
        self.name = f"the sink at {url.host}:{url.port}"
        """For the log: a path or a query may hold a secret."""
        self._secrets = None if settings.events_secret is None else Secrets(settings.events_secret)
        self._exchanges = Exchanges(
            settings.events_sink,
            timeout=TIMEOUT,
            user_agent="ordersaga-operator",
            ca_file=settings.events_ca_file,
            credentials=None if settings.events_token is None else Bearer(settings.events_token),
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._exchanges.aclose()

    async def send(self, event: Lifecycle) -> Answered:
        """Make one attempt. Whatever happens is an answer, not an exception."""
        try:
            secrets = () if self._secrets is None else self._secrets.now()
            headers = {"Content-Type": MEDIA_TYPE, **signed(secrets, event.id, int(self._now()), event.body)}
            if not secrets:
                del headers["webhook-signature"]
            answer = await self._exchanges.exchange("POST", "", headers=headers, body=event.body)
        except NoSecret as error:
            return Answered(Result.AWAY, str(error))
        except NotSent as error:
            return Answered(Result.REFUSED, f"it could not be sent: {error}")
        except NoAnswer as error:
            return Answered(Result.AWAY, f"no answer: {error}")
        return _meaning(answer)


def _meaning(answer: Answer) -> Answered:
    """2xx: taken. A redirect isn't followed: it would carry the event to somebody whom nobody has named."""
    status = answer.status
    if 200 <= status < 300:
        return TAKEN
    of_this_one = HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR and status not in OF_THE_SINK
    result = Result.REFUSED if of_this_one else Result.AWAY
    return Answered(result, f"it answered {status} {answer.phrase[:40]}", answer.retry_after)
