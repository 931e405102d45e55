"""Fixtures that every test may ask for."""

from hypothesis import settings

pytest_plugins = ["tests.engines", "tests.kafka_fixtures", "tests.node_fixtures"]

# No deadlines: a busy machine is not a failure. `make test-long` takes the second.
settings.register_profile("seeded", derandomize=True, deadline=None)
settings.register_profile("full", deadline=None, max_examples=1_000)
settings.load_profile("seeded")
