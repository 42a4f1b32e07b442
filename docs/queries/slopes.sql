-- The slope of each series over all hosts: change of the logarithm a day, by least squares with an intercept for each history.
WITH nights AS (
    SELECT suite, scenario, target, params, metric, host, epoch, epoch(started_at) / 86400 AS x, ln(median) AS y
    FROM series
    WHERE median > 0 AND isfinite(median)
),
centred AS (
    SELECT *, x - avg(x) OVER history AS dx, y - avg(y) OVER history AS dy, count(*) OVER history AS nights
    FROM nights
    WINDOW history AS (PARTITION BY suite, scenario, target, params, metric, host, epoch)
),
sums AS (
    SELECT suite, scenario, target, params, metric, sum(dx * dx) AS xx, sum(dx * dy) AS xy, sum(dy * dy) AS yy,
           count(*) AS n, count(DISTINCT (host, epoch)) AS hosts
    FROM centred
    WHERE nights > 1
    GROUP BY ALL
)
SELECT suite, scenario, target, params, metric, xy / xx AS slope,
       sqrt(greatest(yy - xy * xy / xx, 0) / (n - hosts - 1) / xx) AS se, n, hosts
FROM sums
WHERE xx > 0 AND n > hosts + 1
ORDER BY suite, scenario, target, params, metric;
