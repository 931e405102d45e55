"""How the embedded ClickHouse is configured: small, and without a way out of the process.

chDB knows one user, `default`, which every session of the process is. It is given what projections
need in MergeTree tables and no more; above all no SOURCES: nobody in this process, the writing side
included, can use file(), url(), s3(), remote(), mysql(), executable() … or make a table or a view
that does. Sessions of readers are set to `readonly = 1` besides (`infra.clickhouse_reading`).
(chDB 26.9 reads `users_config`; it ignores access_control_improvements and has no EXECUTE AS.)
"""

from pathlib import Path
from xml.sax.saxutils import escape

GRANTS = (
    "GRANT SELECT, SHOW, INSERT, ALTER, TRUNCATE, OPTIMIZE ON *.*",
    "GRANT CREATE DATABASE, CREATE TABLE, CREATE VIEW, DROP ON *.*",
    "GRANT TABLE ENGINE ON MergeTree",
    "GRANT TABLE ENGINE ON ReplacingMergeTree",
    "GRANT TABLE ENGINE ON AggregatingMergeTree",
    "GRANT TABLE ENGINE ON SummingMergeTree",
)

SERVER = {
    # Two cores: merging must leave room for stations.
    "background_pool_size": 2,
    "background_merges_mutations_concurrency_ratio": 1,
    "background_schedule_pool_size": 2,
    "background_common_pool_size": 2,
    "background_move_pool_size": 1,
    "background_fetches_pool_size": 1,
    "background_buffer_flush_schedule_pool_size": 1,
    "background_message_broker_schedule_pool_size": 1,
    "background_distributed_schedule_pool_size": 1,
    "max_thread_pool_size": 200,
    "max_thread_pool_free_size": 8,
    "max_io_thread_pool_size": 8,
    "max_active_parts_loading_thread_pool_size": 2,
    # Caches: the page cache of the system serves an embedded deployment.
    "mark_cache_size": 32_000_000,
    "primary_index_cache_size": 32_000_000,
    "uncompressed_cache_size": 0,
    "index_mark_cache_size": 8_000_000,
    "index_uncompressed_cache_size": 0,
    "mmap_cache_size": 100,
    "compiled_expression_cache_size": 0,
    "max_server_memory_usage": 2_000_000_000,
}

MERGE_TREE = {
    # Their defaults count on a pool of 16; with two threads nothing large would ever be merged.
    "number_of_free_entries_in_pool_to_lower_max_size_of_merge": 1,
    "number_of_free_entries_in_pool_to_execute_mutation": 1,
    "number_of_free_entries_in_pool_to_execute_optimize_entire_partition": 1,
    # The default, 5, writes each row so often again that merging took as long as inserting: with
    # two inserts a second 36 us of CPU for a row, 24 with 10; a table has a dozen parts instead
    # of four then.
    "merge_selector_base": 10,
    # A projection stores its position after its insert, so the insert must outlive the power too.
    "fsync_after_insert": 1,
    "fsync_part_directory": 1,
}

PROFILE = {
    "max_threads": 2,
    "max_insert_threads": 1,
    "max_memory_usage": 1_000_000_000,
    "allow_introspection_functions": 0,
    "compile_expressions": 0,
    "log_queries": 0,
}


def write_config(directory: Path) -> Path:
    """Write the configuration below a directory and return the path of the main file."""
    users = directory / "users.xml"
    grants = "".join(f"<query>{escape(grant)}</query>" for grant in GRANTS)
    users.write_text(
        "<clickhouse>"
        f"<profiles><default>{_elements(PROFILE)}</default></profiles>"
        "<quotas><default/></quotas>"
        "<users><default><password/><networks><ip>::/0</ip></networks>"
        "<profile>default</profile><quota>default</quota>"
        f"<grants>{grants}</grants></default></users>"
        "</clickhouse>\n"
    )
    config = directory / "config.xml"
    config.write_text(
        f"<clickhouse><users_config>{escape(str(users))}</users_config>"
        f"{_elements(SERVER)}<merge_tree>{_elements(MERGE_TREE)}</merge_tree></clickhouse>\n"
    )
    return config


def _elements(values: dict[str, int]) -> str:
    return "".join(f"<{name}>{value}</{name}>" for name, value in values.items())
