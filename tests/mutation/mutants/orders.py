"""What the order service keeps beside the steps: lists, public routes, sagas that lost their resource."""

from tests.mutation.mutants.mutant import OUTAGE, Mutant

PUBLIC = "tests/contract/test_public_routes.py"
LOST = "services/order/tests/test_lost.py"
LISTS = "tests/contract/test_lists.py"

ORDERS = (
    Mutant(
        "a page of a list has a bounded number of bytes",
        OUTAGE,
        "common/web/pagination.py",
        "if left < 0 and items:",
        "if False and left < 0:",
        f"{LISTS}::test_a_page_ends_early_when_its_items_are_large",
    ),
    Mutant(
        "only a few lists are made at once",
        OUTAGE,
        "common/web/pagination.py",
        "async with _turns.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(PAGES_AT_ONCE)):",
        "async with asyncio.Semaphore(PAGES_AT_ONCE):",
        f"{LISTS}::test_only_a_few_pages_are_made_at_once",
    ),
    Mutant(
        "the public port has the public routes alone",
        6,
        "common/web/app.py",
        "only(public, routers)])",
        "*routers])",
        f"{PUBLIC}::test_no_spelling_reaches_a_step_of_the_saga",
    ),
    Mutant(
        "the outside is led to the public port",
        6,
        "helm/templates/ingress.yaml",
        "name: public",
        "name: http",
        "tests/packaging/chart/test_chart.py::test_the_outside_is_led_to_the_public_routes_alone",
    ),
    Mutant(
        "a client's key stands for one order, whatever id comes with it",
        1,
        "services/order/checkout.py",
        "first = await self._keys.claim(key, order_id)",
        "first = order_id",
        "services/order/tests/test_clients.py::test_a_key_beside_an_id_stands_for_one_order",
    ),
    Mutant(
        "the prices of an order are one look at the catalogue",
        OUTAGE,
        "services/inventory/products.py",
        '{"$in": list(product_ids)} if product_ids else None',
        "None",
        "tests/contract/test_placing_with_other_services.py::test_a_price_left_out_is_the_catalogue_s",
    ),
    Mutant(
        "a slow answer of another service is given up",
        OUTAGE,
        "services/order/clients.py",
        "asyncio.timeout(CALL_SECONDS),",
        "asyncio.timeout(None),",
        "tests/contract/test_placing_with_other_services.py::test_a_price_that_drips_is_given_up",
    ),
    Mutant(
        "an open order that has lost its resource gets it back",
        12,
        "services/order/lost.py",
        "return worked_on and await self.restore(document) is not None",
        "return False",
        f"{LOST}::test_an_open_order_gets_the_same_resource_back",
    ),
    Mutant(
        "an order that was being rolled back gets its resource back cancelled",
        12,
        "services/order/lost.py",
        'rejected = document["status"] == "CANCELLING"',
        "rejected = False",
        f"{LOST}::test_an_order_that_was_being_rolled_back_goes_on_being_rolled_back",
    ),
    Mutant(
        "an order that a stranger has made gets no resource",
        12,
        "services/order/lost.py",
        "return worked_on and await",
        "return await",
        f"{LOST}::test_what_has_ended_and_what_no_operator_has_worked_on_stays_as_it_is",
    ),
    Mutant(
        "an order that can't be read delays no other's resource",
        12,
        "services/order/lost.py",
        "except (Problem, ValueError, KeyError) as error:",
        "except Unavailable as error:",
        f"{LOST}::test_an_order_that_cannot_be_read_delays_no_other",
    ),
    Mutant(
        "a client's cancel reaches the saga also if the API server was away",
        6,
        "services/order/checkout.py",
        "self._lost.cancel_again(order_id)\n",
        "pass\n",
        f"{LOST}::test_a_cancel_reaches_the_saga_later",
    ),
    Mutant(
        "a client's cancel gives an order its resource back",
        12,
        "services/order/checkout.py",
        'if resource is None and status == "CANCELLING" and document is not None:',
        "if False and document is not None:",
        f"{LOST}::test_a_client_s_cancel_gives_the_order_its_resource_back",
    ),
    Mutant(
        "the order service is ready without the API server",
        OUTAGE,
        "services/order/main.py",
        "indexes=[*INDEXES, *ARCHIVE_INDEXES],",
        "indexes=[*INDEXES, *ARCHIVE_INDEXES],\n        ready_checks=[lambda app: app.state.stores[Sagas].find('o')],",
        "services/order/tests/test_clients.py::test_the_saga_s_steps_need_the_database_alone",
    ),
)
