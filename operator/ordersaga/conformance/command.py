"""`ordersaga conformance`: its options, and what it does with them."""

import argparse
import asyncio
import json
import re
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack

import httpx

from ordersaga.conformance.observers import ledger_at, live_at
from ordersaga.conformance.promises import CLAIMS, Outcome, Result, try_all
from ordersaga.conformance.report import print_end, print_json, told
from ordersaga.conformance.subject import Body, Route, Subject
from ordersaga.conformance.templates import BadBodyError, body_of, other_than, template
from ordersaga.conformance.trial import Trial, new_run
from ordersaga.settings import Settings

CONFORMS, BREAKS, CANNOT_TRY = 0, 1, 2

EPILOG = """\
example: the payment service of the local stack

  ordersaga conformance http://127.0.0.1:8002 --do /api/payments/process --undo /api/payments/refund \\
    --body '{"customer_id": "c-17", "amount_minor": 2500, "currency": "EUR", "method_ref": "test-ok"}' \\
    --refused-body '{"customer_id": "c-17", "amount_minor": 2500, "currency": "EUR", "method_ref": "test-declined"}' \\
    --resource '/api/payments/order/{order_id}' --live status=captured

The order's id is put into every body as "order_id", and in place of {order_id} wherever that stands. The orders of a
run begin with k- and a random number; they stay where they were made, so don't try a participant that serves customers.

exit status: 0 every claim that could be tried is kept, 1 some are broken, 2 nothing could be tried.
docs/participants.md has the protocol, and every claim by its name."""


class CannotTryError(Exception):
    """The participant can't be tried at all; the message says why and what to do."""


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", settings: Settings) -> None:
    """Add the command's parser."""
    parser = commands.add_parser(
        "conformance",
        help="does a participant keep the saga's protocol?",
        description="Calls a participant's do and undo in every order that a saga may, and says which breaks it.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("urls", nargs="*", metavar="URL", help="base URL; several are replicas, which take turns")
    parser.add_argument("--do", metavar="PATH", help="path of the do's POST")
    parser.add_argument("--undo", metavar="PATH", help="path of the undo's POST")
    parser.add_argument("--body", metavar="JSON|FILE", help="body of the do; has to succeed")
    parser.add_argument("--undo-body", metavar="JSON|FILE", default="{}", help="default: the order's id alone")
    parser.add_argument(
        "--other-body", metavar="JSON|FILE", help="another body of the do; default: a number raised by 1"
    )
    parser.add_argument("--refused-body", metavar="JSON|FILE", help="a body of the do that is a business no")
    parser.add_argument("--slow-body", metavar="JSON|FILE", help="a body of the do that is first answered 202")
    parser.add_argument("--step", help="the step's name in the Idempotency-Key; default: as a 400 of the do shows it")
    parser.add_argument("--namespace", default=settings.namespace, help="default: %(default)s")
    parser.add_argument("--keeps", action="store_true", help="what the do has done can't be taken back (a message)")
    parser.add_argument(
        "--resource", metavar="PATH", help="GET of the order's effect, with {order_id}; 404: there is none"
    )
    parser.add_argument(
        "--live", metavar="FIELD=VALUE,…", help="of the resource: when the effect stands; default: always"
    )
    parser.add_argument(
        "--ledger", metavar="PATH", help="GET of what really happened, with {order_id}: a list of {kind}"
    )
    parser.add_argument("--header", action="append", default=[], metavar="NAME:VALUE", help="sent with every call")
    parser.add_argument("--only", nargs="+", metavar="CLAIM", default=[], help="these claims alone")
    parser.add_argument("--rounds", type=int, default=5, help="how often each race is tried (default: %(default)s)")
    parser.add_argument("--timeout", type=float, default=5.0, help="seconds for one answer (default: %(default)s)")
    parser.add_argument("--list", action="store_true", help="show the claims and end")
    parser.add_argument("--json", action="store_true", help="for machines, with the timelines of what is broken")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Try the participant and report; the exit status."""
    if options.list:
        for claim in CLAIMS:
            sys.stdout.write(f"{claim.name:<18} {claim.promise}\n")
        return CONFORMS
    try:
        results = asyncio.run(_run(options))
    except (CannotTryError, BadBodyError) as error:
        sys.stderr.write(f"ordersaga conformance: {error}\n")
        return CANNOT_TRY
    return BREAKS if any(result.outcome is Outcome.BROKEN for result in results) else CONFORMS


async def _run(options: argparse.Namespace) -> Sequence[Result]:
    for needed in ("do", "undo", "body"):
        if not getattr(options, needed):
            raise CannotTryError(f"--{needed.replace('_', '-')} is needed: ordersaga conformance --help has an example")
    if not options.urls:
        raise CannotTryError("the participant's URL is needed: ordersaga conformance --help has an example")
    if unknown := set(options.only) - {claim.name for claim in CLAIMS}:
        raise CannotTryError(f"there is no claim {', '.join(sorted(unknown))}: --list shows those there are")
    headers = [tuple(part.strip() for part in header.split(":", 1)) for header in options.header]
    if any(len(header) != 2 for header in headers):
        raise CannotTryError("--header takes NAME:VALUE, for example --header 'Authorization: Bearer …'")
    async with AsyncExitStack() as opened:
        replicas = [
            await opened.enter_async_context(
                httpx.AsyncClient(base_url=url, timeout=options.timeout, headers=dict(headers), trust_env=False)
            )
            for url in options.urls
        ]
        subject = await _subject(options, replicas)
        await _preflight(subject, replicas)
        results = []
        async for result in try_all(subject, replicas, only=options.only, rounds=options.rounds):
            results.append(result)
            if not options.json:
                sys.stdout.write("\n".join(told(result)) + "\n")
                sys.stdout.flush()
    if options.json:
        print_json(sys.stdout, results)
    else:
        print_end(sys.stdout, results)
    return results


async def _subject(options: argparse.Namespace, replicas: Sequence[httpx.AsyncClient]) -> Subject:
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
        live=live_at(replicas[0], options.resource, options.live) if options.resource else None,
        ledger=ledger_at(replicas[0], options.ledger) if options.ledger else None,
    )


async def _discovered_step(options: argparse.Namespace, replicas: Sequence[httpx.AsyncClient]) -> str:
    """The step's name, from the key that the do's 400 shows to whoever sends none."""
    route = Route(options.do, "?", "do", body_of(template(options.body)))
    trial = Trial(Subject(route, route), replicas, run=new_run())
    answer = await trial.call("do", trial.new_order(), key="")
    shown = re.search(r"/([a-z]+)/do\b", answer.detail)
    if shown is None:
        raise CannotTryError(
            f"{replicas[0].base_url}{options.do} was asked for its step's name and said {answer.said()} "
            f"{answer.detail}: give it with --step"
        )
    return shown[1]


async def _preflight(subject: Subject, replicas: Sequence[httpx.AsyncClient]) -> None:
    """Without one do that succeeds nothing can be tried."""
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
