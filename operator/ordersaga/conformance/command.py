"""`ordersaga conformance`: its options, and what it does with them."""

import argparse
import asyncio
import json
import re
import sys
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import httpx

from common.identity.bearer import Bearer
from ordersaga.conformance.promises import PROMISES, Conformity, Result, try_all
from ordersaga.conformance.report import lines_of, print_end, print_json
from ordersaga.conformance.subject import Body, Route, Subject
from ordersaga.conformance.templates import BadBodyError, body_of, ledger_at, live_at, other_than, template
from ordersaga.conformance.trial import Trial, new_run
from ordersaga.settings import Settings

CONFORMS, BREAKS, CANNOT_TRY = 0, 1, 2

EPILOG = """\
example: the payment service of the local stack

  ordersaga conformance http://127.0.0.1:8002 --do /api/payments/process --undo /api/payments/refund \\
    --body '{"customer_id": "c-17", "amount_minor": 2500, "currency": "EUR", "method_ref": "test-ok"}' \\
    --refused-body '{"customer_id": "c-17", "amount_minor": 2500, "currency": "EUR", "method_ref": "test-declined"}' \\
    --resource '/api/payments/order/{order_id}' --live status=captured \\
    --token-file .ordersaga/data/control-plane/ordersaga-operator.tokens/payment \\
    --reader-token-file .ordersaga/data/control-plane/ordersaga-audit.tokens/payment

Every body gets the field "order_id", and {order_id} is replaced by the order's id in bodies and paths. The ids begin
with k- and a random number. A run leaves its orders behind, so don't try a participant that serves customers.

exit status: 0 every promise that could be tried is kept, 1 some are broken, 2 nothing could be tried.

docs/participants.md has the protocol, and every promise by its name."""


class CannotTryError(Exception):
    """The participant can't be tried at all; the message says why, and what to do."""


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", settings: Settings) -> None:
    """Add the command's parser."""
    parser = commands.add_parser(
        "conformance",
        help="check whether a participant keeps the protocol of sagas",
        description="Calls a participant's do and undo in every order that a saga may, and says which promise of the\n"
        "protocol is broken, why that matters, and by which calls.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "urls", nargs="*", metavar="URL", help="base URL of the participant; several are its replicas, which take turns"
    )
    parser.add_argument("--do", metavar="PATH", help="path of the POST that does it")
    parser.add_argument("--undo", metavar="PATH", help="path of the POST that takes it back")
    parser.add_argument("--body", metavar="JSON|FILE", help="body of a do that has to succeed")
    parser.add_argument(
        "--undo-body", metavar="JSON|FILE", default="{}", help="body of the undo; default: the order's id alone"
    )
    parser.add_argument(
        "--other-body",
        metavar="JSON|FILE",
        help="another valid body of the do; default: its first number is raised by 1",
    )
    parser.add_argument(
        "--refused-body", metavar="JSON|FILE", help="a body of the do that is refused for a business reason"
    )
    parser.add_argument("--slow-body", metavar="JSON|FILE", help="a body of the do that is first answered 202")
    parser.add_argument(
        "--step",
        help="the step's name in the Idempotency-Key; default: the one in the 400 that a do without a key is answered",
    )
    parser.add_argument(
        "--namespace", default=settings.namespace, help="namespace in the Idempotency-Key (default: %(default)s)"
    )
    parser.add_argument(
        "--keeps", action="store_true", help="the effect can't be taken back, like a message that was sent"
    )
    parser.add_argument(
        "--resource",
        metavar="PATH",
        help="path of a GET of the order's effect, with {order_id}; 404 means that there is none",
    )
    parser.add_argument(
        "--live",
        metavar="FIELD=VALUE,…",
        help="when the --resource is an effect that stands; default: whenever it is found",
    )
    parser.add_argument(
        "--ledger", metavar="PATH", help="path of a GET of what really happened, with {order_id}: a list of {kind}"
    )
    parser.add_argument("--header", action="append", default=[], metavar="NAME:VALUE", help="a header for every call")
    parser.add_argument(
        "--token-file", type=Path, metavar="FILE", help="the operator's token there; read again when it is replaced"
    )
    parser.add_argument(
        "--reader-token-file",
        type=Path,
        metavar="FILE",
        help="a token for --resource and --ledger, which the operator may not read",
    )
    parser.add_argument("--only", nargs="+", metavar="PROMISE", default=[], help="try these promises alone")
    parser.add_argument("--rounds", type=int, default=5, help="how often each race is tried (default: %(default)s)")
    parser.add_argument("--timeout", type=float, default=5.0, help="seconds for one answer (default: %(default)s)")
    parser.add_argument("--list", action="store_true", help="list the promises, and try nothing")
    parser.add_argument(
        "--json", action="store_true", help="print one JSON document, with the timelines of broken promises"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Try the participant and report; the exit status."""
    if options.list:
        for promise in PROMISES:
            sys.stdout.write(f"{promise.name:<18} {promise.text}\n")
        return CONFORMS
    try:
        results = asyncio.run(_run(options))
    except (CannotTryError, BadBodyError) as error:
        sys.stderr.write(f"ordersaga conformance: {error}\n")
        return CANNOT_TRY
    return BREAKS if any(result.outcome is Conformity.BROKEN for result in results) else CONFORMS


async def _run(options: argparse.Namespace) -> Sequence[Result]:
    for needed in ("do", "undo", "body"):
        if not getattr(options, needed):
            raise CannotTryError(f"--{needed.replace('_', '-')} is needed: ordersaga conformance --help has an example")
    if not options.urls:
        raise CannotTryError("the participant's URL is needed: ordersaga conformance --help has an example")
    if unknown := set(options.only) - {promise.name for promise in PROMISES}:
        raise CannotTryError(f"there is no promise {', '.join(sorted(unknown))}: --list shows all")
    headers = [tuple(part.strip() for part in header.split(":", 1)) for header in options.header]
    if any(len(header) != 2 for header in headers):
        raise CannotTryError("--header takes NAME:VALUE, for example --header 'Authorization: Bearer …'")
    async with AsyncExitStack() as opened:

        async def client(url: str, token_file: Path | None) -> httpx.AsyncClient:
            auth = _bearing(token_file)
            return await opened.enter_async_context(
                httpx.AsyncClient(
                    base_url=url, timeout=options.timeout, headers=dict(headers), auth=auth, trust_env=False
                )
            )

        replicas = [await client(url, options.token_file) for url in options.urls]
        reader = await client(options.urls[0], options.reader_token_file)
        subject = await _subject(options, replicas, reader)
        await _preflight(subject, replicas)
        results = []
        async for result in try_all(subject, replicas, only=options.only, rounds=options.rounds):
            results.append(result)
            if not options.json:
                sys.stdout.write("\n".join(lines_of(result)) + "\n")
                sys.stdout.flush()
    if options.json:
        print_json(sys.stdout, results)
    else:
        print_end(sys.stdout, results)
    return results


def _bearing(token_file: Path | None) -> Callable[[httpx.Request], httpx.Request] | None:
    """What puts the token of now into a request."""
    if token_file is None:
        return None
    bearer = Bearer(token_file)

    def bearing(request: httpx.Request) -> httpx.Request:
        if header := bearer.header():
            request.headers["Authorization"] = header
        return request

    return bearing


async def _subject(
    options: argparse.Namespace, replicas: Sequence[httpx.AsyncClient], reader: httpx.AsyncClient
) -> Subject:
    given = template(options.body)
    step = options.step or await _discovered_step(options, replicas)
    other = template(options.other_body) if options.other_body else other_than(given)
    return Subject(
        do=Route(options.do, step, "do", body_of(given)),
        undo=Route(options.undo, step, "undo", body_of(template(options.undo_body))),
        namespace=options.namespace,
        takes_back=not options.keeps,
        other=body_of(other) if other is not None else None,
        refused=_optional(options.refused_body),
        slow=_optional(options.slow_body),
        live=live_at(reader, options.resource, options.live) if options.resource else None,
        ledger=ledger_at(reader, options.ledger) if options.ledger else None,
    )


async def _discovered_step(options: argparse.Namespace, replicas: Sequence[httpx.AsyncClient]) -> str:
    """The step's name, from the key that the 400 of a do without a key shows."""
    route = Route(options.do, "?", "do", body_of(template(options.body)))
    trial = Trial(Subject(route, route), replicas, run=new_run())
    answer = await trial.call("do", trial.new_order(), key="")
    shown = re.search(r"/([a-z]+)/do\b", answer.detail)
    if shown is None:
        raise CannotTryError(
            f"{replicas[0].base_url}{options.do} was called without an Idempotency-Key and answered {answer.summary()} "
            f"{answer.detail}: the step's name is not in it, so give it with --step"
        )
    return shown[1]


async def _preflight(subject: Subject, replicas: Sequence[httpx.AsyncClient]) -> None:
    """Raise CannotTryError unless one do succeeds."""
    trial = Trial(subject, replicas, run=new_run())
    order_id = trial.new_order()
    answer = await trial.do(order_id)
    if answer.status not in (200, 201, 202) and not answer.running:
        shown = json.dumps(answer.answer, ensure_ascii=False) if answer.status else answer.error
        raise CannotTryError(
            f"nothing can be tried, because a first do doesn't succeed: POST {subject.do.path} "
            f"{json.dumps(subject.do.body(order_id))} was answered {answer.status} {shown}; correct --body, or see "
            f"whether the participant runs and knows what the body refers to"
        )


def _optional(text: str | None) -> Body | None:
    return body_of(template(text)) if text else None
