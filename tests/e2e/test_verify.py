"""`chargeledger verify` says whether the log and the views agree, and what differs if not."""

import asyncio

import psycopg
import pytest

from infra.postgres_embedded import EmbeddedPostgres, embedded_postgres
from tests.e2e.running import Up, run_program

pytestmark = [pytest.mark.postgres, pytest.mark.clickhouse, pytest.mark.slow]


def verified(up: Up, *options: str) -> tuple[int, str]:
    run = run_program("verify", "--data", str(up.layout.data), *options)
    return run.returncode, run.stdout + run.stderr


def statement_in_postgres(up: Up, statement: str) -> None:
    dsn = EmbeddedPostgres(up.layout.postgres, up.deployment.postgres_port).dsn
    with psycopg.connect(dsn) as connection:
        # Past the trigger that refuses to change what is released.
        connection.execute("ALTER TABLE read.cdrs DISABLE TRIGGER USER")
        connection.execute(statement)


async def set_back(up: Up, name: str, records: int) -> None:
    """Store the position that was `records` before."""
    async with (
        embedded_postgres(up.layout.postgres) as server,
        await psycopg.AsyncConnection.connect(server.dsn) as connection,
    ):
        await connection.execute(
            "UPDATE read.positions SET positions = jsonb_set(positions, '{1}',"
            " to_jsonb((positions->>'1')::bigint - %s)) WHERE name = %s",
            (records, name),
        )


def charged(up: Up, prefix: str) -> None:
    run = run_program(
        *("simulate", "--data", str(up.layout.data), "--stations", "3", "--sessions", "2"),
        *("--prefix", prefix, "--seed", "7"),
    )
    assert run.returncode == 0, run.stdout + run.stderr
    up.wait_projected()


def test_what_is_whole_is_equal_and_what_is_doctored_is_named_beside_a_running_up_and_alone(
    own_up: Up,
) -> None:
    up = own_up
    charged(up, "VERIFY")

    statement_in_postgres(
        up,
        "UPDATE read.cdrs SET energy_wh = energy_wh + 1"
        " WHERE id = (SELECT min(id::text)::uuid FROM read.cdrs)",
    )
    code, said = verified(up)
    assert code == 1
    assert "energy_wh is" in said
    assert "NOT EQUAL: 1 differences" in said
    assert verified(up, "--tenant", "another")[0] == 0

    statement_in_postgres(
        up, "DELETE FROM read.cdrs WHERE id = (SELECT min(id::text)::uuid FROM read.cdrs)"
    )
    code, said = verified(up)
    assert code == 1
    assert "is missing" in said

    assert run_program("rebuild", "postgres", "--data", str(up.layout.data)).returncode == 1

    assert up.stop() == 0
    code, said = verified(up)
    assert (code, said.splitlines()[-1]) == (0, "equal")

    # As after a kill between rows of the series and their position.
    asyncio.run(set_back(up, "clickhouse", 40))
    code, said = verified(up)
    assert (code, said.splitlines()[-1]) == (0, "equal")
    assert " frames are ahead of its position" in said
    # CDRs and their position are one transaction: there nothing is ahead lawfully.
    asyncio.run(set_back(up, "read", 40))
    assert verified(up)[0] == 1
