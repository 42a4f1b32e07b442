-- The table series again, from every measurement: the median of the medians within each block.
WITH blocks AS (
    SELECT run_id, scenario, target, params, metric, block, median(value) AS value
    FROM measurements
    WHERE ok AND NOT warmup AND isfinite(value) AND target NOT IN ('null', 'sentinel')
    GROUP BY ALL
)
SELECT run_id, scenario, target, params, metric, count(*) AS n, median(value) AS median
FROM blocks
GROUP BY ALL
ORDER BY ALL;
