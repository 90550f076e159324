"""What the order service keeps beside the steps: lists, public routes, sagas that lost their resource."""

from tests.mutation.mutants.mutant import OUTAGE, Mutant

PUBLIC = "tests/contract/test_public_routes.py"
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
)
