"""Tests that have a moto of their own."""

import oracle
import world
from harness import Case, start_moto


class MotoCase(Case):
    """One moto for the class; content() says what is in it."""

    @classmethod
    def setUpClass(cls):
        cls.moto = start_moto()
        cls.addClassCleanup(cls.moto.log.close)
        cls.addClassCleanup(cls.moto.stop)
        cls.client = staticmethod(world.clients(cls.moto.url))
        cls.regions = oracle.commercial_regions(cls.client)
        cls.content()

    @classmethod
    def content(cls):
        pass
