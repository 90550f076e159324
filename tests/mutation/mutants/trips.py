"""Round trips to the database that are saved: what a guess, a note or one write for two has to go on promising."""

from tests.mutation.mutants.mutant import Mutant

STEPS = "services/order/tests/test_steps.py"
RESERVATIONS = "services/inventory/tests/test_reservations.py"
TOGETHER = "services/inventory/tests/test_together.py"
LEDGER = "tests/contract/promises/test_ledger.py"

TRIPS = (
    Mutant(
        "a write by a guess never lowers an epoch",
        7,
        "common/barrier/barrier.py",
        '"epoch": {"$lte": decision.state.epoch}',
        '"epoch": {"$gte": 0}',
        f"{STEPS}::test_an_older_epoch_is_stale_and_changes_nothing",
    ),
    Mutant(
        "a write by a guess needs every field to be as guessed",
        6,
        "common/barrier/barrier.py",
        'where = {**guess, "_id": document_id}',
        'where = {"barrier": guess["barrier"], "_id": document_id}',
        "services/order/tests/test_unreadable.py::test_so_does_a_call_that_finds_another_field_damaged",
    ),
    Mutant(
        "units are promised only at the catalogue's price",
        11,
        "services/inventory/products.py",
        'wanted = {"price_minor": prices[move.product_id], "currency": request.currency}',
        "wanted: Filter = {}",
        f"{RESERVATIONS}::test_a_price_or_currency_that_isnt_the_catalogues_is_refused",
    ),
    Mutant(
        "a refusal names the line for which there isn't enough",
        11,
        "services/inventory/products.py",
        '                    products[product_id]["available"] += units\n',
        "                    pass\n",
        f"{RESERVATIONS}::test_a_refusal_names_the_line_for_which_there_is_not_enough",
    ),
    Mutant(
        "a shared transaction promises units only at the catalogue's price",
        11,
        "services/inventory/products.py",
        'wanted[line.product_id] = {"price_minor": line.unit_price_minor, "currency": request.currency}',
        "wanted[line.product_id] = {}",
        f"{TOGETHER}::test_whoever_is_refused_takes_nobody_along",
    ),
    Mutant(
        "a shared transaction is all or nothing",
        11,
        "services/inventory/store.py",
        "                raise NotTogether\n",
        "                pass\n",
        f"{TOGETHER}::test_whoever_is_refused_takes_nobody_along",
    ),
    Mutant(
        "a test provider does one thing for each key",
        1,
        "common/shop/ledger.py",
        'await self._entries.insert({"_id": key, **entry})',
        "await self._entries.insert({**entry})",
        f"{LEDGER}::test_calls_at_the_same_time_make_one_entry",
    ),
    Mutant(
        "nothing happens under a key that was withdrawn",
        3,
        "common/shop/ledger.py",
        'return await self._entries.update({"_id": key, "status": "processing"}, made)',
        'return await self._entries.update({"_id": key}, made)',
        f"{LEDGER}::test_nothing_happens_under_a_key_that_was_withdrawn",
    ),
)
