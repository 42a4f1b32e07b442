-- DuckDB: the tables of a dataset. First:  SET VARIABLE root = '/data/tare';  or 's3://bucket/tare'
-- Joining runs leaves out what is not committed, and "again" are the fresh blocks of a night, which are no night of their own.
CREATE OR REPLACE VIEW runs AS
SELECT * FROM read_parquet(getvariable('root') || '/runs/*.parquet');

CREATE OR REPLACE VIEW metrics AS
SELECT * FROM read_parquet(getvariable('root') || '/metrics.parquet');

CREATE OR REPLACE VIEW series AS
SELECT s.* REPLACE (CAST(s.date AS DATE) AS date), r.epoch, r.suite, r.started_at
FROM read_parquet(getvariable('root') || '/series/**/*.parquet', hive_partitioning = true,
                  hive_types_autocast = false) AS s
JOIN runs AS r USING (run_id, digest)
WHERE NOT r.again;

CREATE OR REPLACE VIEW measurements AS
SELECT m.* REPLACE (CAST(m.date AS DATE) AS date), r.epoch, r.suite, r.started_at
FROM read_parquet(getvariable('root') || '/measurements/**/*.parquet', hive_partitioning = true,
                  hive_types_autocast = false) AS m
JOIN runs AS r USING (run_id, digest)
WHERE NOT r.again;
