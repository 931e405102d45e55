"""Fixtures that every test may ask for."""

pytest_plugins = ["tests.engines", "tests.kafka_fixtures"]
