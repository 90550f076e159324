"""How many requests were made of each service, and how they were answered."""

from collections import Counter, defaultdict

from common.web.app import Service


class Tally:
    """Counts by service and status, of all that make requests."""

    def __init__(self) -> None:
        self._answers: dict[str, Counter[int]] = defaultdict(Counter)

    def add(self, service: str, answers: Counter[int]) -> None:
        """Once more this many."""
        self._answers[service].update(answers)

    @property
    def total(self) -> int:
        """All of them."""
        return sum(answers.total() for answers in self._answers.values())

    def __str__(self) -> str:
        statuses = sorted({status for answers in self._answers.values() for status in answers})
        rows: list[tuple[object, ...]] = [("service", "requests", *statuses)]
        rows += [
            (service, answers.total(), *(answers[status] for status in statuses))
            for service, answers in sorted(self._answers.items())
        ]
        together = sum(self._answers.values(), Counter[int]())
        rows.append(("all", together.total(), *(together[status] for status in statuses)))
        lines = ["".join(f"{each:>{14 if column == 0 else 10}}" for column, each in enumerate(row)) for row in rows]
        return "\n".join(lines)


def answers_of(app: Service) -> Counter[int]:
    """By status, what a service says itself that it has answered since it began."""
    found = Counter[int]()
    for metric in app.metrics.registry.collect():
        for sample in metric.samples:
            if sample.name == "ordersaga_http_requests_total":
                found[int(sample.labels["status"])] += int(sample.value)
    return found
