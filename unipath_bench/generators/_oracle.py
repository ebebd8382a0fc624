"""The base of the baselines that are shown the suite's real images."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

from unipath_bench.contracts import Context, Generator, Request, Suite
from unipath_bench.core.arrays import RGBImage
from unipath_bench.core.errors import DataError, UsageError
from unipath_bench.suites.roles import Roles, assign_roles


class OracleGenerator(Generator):
    """Holds the suite and its roles from :meth:`setup` on; subclasses answer one request at a time."""

    def __init__(self) -> None:
        self._suite: Suite | None = None
        self._roles: Roles | None = None

    @abstractmethod
    def lacking(self, roles: Roles) -> str | None:
        """The remedy where the suite's roles do not suffice for this baseline."""

    @abstractmethod
    def answer(self, request: Request) -> RGBImage:
        """One image, a function of the suite and the request alone: uint8 (H, W, 3)."""

    def setup(self, context: Context) -> None:
        """Assign the suite's roles; reads no pixels."""
        self._adopt(context)

    def missing(self, context: Context) -> str | None:
        """What the suite lacks for this baseline. Raises :class:`UsageError` where there is no suite."""
        return self.lacking(self._adopt(context))

    def generate(self, requests: Sequence[Request]) -> Sequence[RGBImage]:
        """One real or derived image a request, in the stored size."""
        return [self.answer(request) for request in requests]

    @property
    def suite(self) -> Suite:
        """The suite lent by the run."""
        if self._suite is None:
            raise self._no_suite()
        return self._suite

    @property
    def roles(self) -> Roles:
        """Which of its images play which part."""
        if self._roles is None:
            raise self._no_suite()
        return self._roles

    def unknown_sample(self, request: Request) -> DataError:
        """The error for a request that names no test sample of the suite."""
        return DataError(
            f"The baseline {self.card.name!r} was asked for {request.sample_id!r}, "
            f"which is no test sample of the suite {self.suite.card.name!r}.",
            "Baselines of real images answer requests that are made from the same suite.",
        )

    def _adopt(self, context: Context) -> Roles:
        if context.suite is None:
            raise self._no_suite()
        if self._roles is None or self._suite is not context.suite:
            self._suite, self._roles = context.suite, assign_roles(context.suite)
        return self._roles

    def _no_suite(self) -> UsageError:
        return UsageError(
            f"The baseline {self.card.name!r} replays a suite's real images, but no suite was given to it.",
            "Pass Context(suite=...) to setup(), or run it through `unipath-bench run`.",
        )
