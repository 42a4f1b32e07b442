-- DuckDB: the committed rows of a dataset again, with one file a day and table, into a folder that exists. First views.sql, and
-- SET VARIABLE compact = '/data/compact';  The other queries run on it with  SET VARIABLE root = '/data/compact';
COPY (SELECT * FROM runs) TO (getvariable('compact') || '/runs') (FORMAT parquet, COMPRESSION zstd, FILE_SIZE_BYTES '256MB');
COPY (SELECT * FROM metrics) TO (getvariable('compact') || '/metrics.parquet') (FORMAT parquet);
COPY (SELECT * EXCLUDE (epoch, suite, started_at) FROM series ORDER BY date, scenario, metric, target, params, host)
    TO (getvariable('compact') || '/series') (FORMAT parquet, COMPRESSION zstd, PARTITION_BY (date));
COPY (SELECT * EXCLUDE (epoch, suite, started_at) FROM measurements ORDER BY date, scenario, metric, target, params, host, block)
    TO (getvariable('compact') || '/measurements') (FORMAT parquet, COMPRESSION zstd, PARTITION_BY (date));
