"""A polite end: SIGTERM (a preemption, a time limit) is answered after the running step."""

import signal
from typing import Self


class Interrupt:
    """A context in which SIGTERM and SIGINT only set `requested`."""

    def __enter__(self) -> Self:
        self.requested = False
        self.before = {
            number: signal.signal(number, self._request)
            for number in (signal.SIGTERM, signal.SIGINT)
        }
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)

    def _request(self, *_: object) -> None:
        self.requested = True
