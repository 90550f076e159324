"""A message that may have arrived goes again ever more rarely."""

from services.notification.delivery.doubts import REMEMBERED, Doubts


def test_a_day_of_silence_brings_two_dozen_mails_and_not_thousands() -> None:
    now = 0.0
    doubts = Doubts(lambda: now)
    handed_over = 0
    while now < 86_400:
        if doubts.left("ntf-1") == 0:
            handed_over += 1
            doubts.rise("ntf-1")
        now += 30
    assert handed_over == doubts.times("ntf-1") == 27
    assert doubts.left("ntf-2") == 0
    doubts.end("ntf-1")
    assert doubts.left("ntf-1") == doubts.times("ntf-1") == 0


def test_only_so_many_are_remembered() -> None:
    doubts = Doubts(lambda: 0.0)
    for number in range(REMEMBERED + 1):
        doubts.rise(f"ntf-{number}")
    assert (doubts.times("ntf-0"), doubts.times("ntf-1")) == (0, 1)
