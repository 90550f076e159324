"""What is due when: names by time, packed, since a shop keeps a week of finished sagas."""

import heapq
from typing import Final

MINUTE: Final = 60.0
CLOSING: Final = b"\n"


class Timetable:
    """Names and when they are due (seconds since the epoch): 100,000 take some 4 MB. A name may be in it twice."""

    def __init__(self) -> None:
        self._minutes: dict[int, bytearray] = {}
        self._order: list[int] = []
        """The minutes, as a heap."""
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def add(self, name: str, at: float) -> None:
        """It is due then."""
        minute = int(at // MINUTE)
        if minute not in self._minutes:
            self._minutes[minute] = bytearray()
            heapq.heappush(self._order, minute)
        self._minutes[minute] += f"{at - minute * MINUTE:.1f} {name}".encode() + CLOSING
        self._length += 1

    def clear(self) -> None:
        """Forget all."""
        self._minutes.clear()
        self._order.clear()
        self._length = 0

    def take(self, now: float, most: int) -> list[str]:
        """Take out what is due, at most so many, about in the order of their times."""
        taken: list[str] = []
        while self._order and self._order[0] * MINUTE <= now and len(taken) < most:
            minute = self._order[0]
            entries = self._minutes[minute]
            later = bytearray()
            while entries and len(taken) < most:
                start = entries.rfind(CLOSING, 0, len(entries) - 1) + 1
                seconds, _, name = bytes(entries[start:-1]).partition(b" ")
                if minute * MINUTE + float(seconds) <= now:
                    taken.append(name.decode())
                else:
                    later += entries[start:]
                del entries[start:]
            entries += later
            if entries:
                break  # the minute isn't over, or enough was taken
            heapq.heappop(self._order)
            del self._minutes[minute]
        self._length -= len(taken)
        return taken
