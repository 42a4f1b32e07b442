-- Hosts that are apart: the median of their nights has a robust z score beyond 3.5 among at least 5 hosts, and differs from the
-- median of all by the metric's smallest effect. Where most hosts have one and the same median, the smallest effect alone decides.
WITH hosts AS (
    SELECT suite, scenario, target, params, metric, host, epoch, median(ln(median)) AS y
    FROM series
    WHERE median > 0 AND isfinite(median)
    GROUP BY ALL
),
away AS (
    SELECT *, y - median(y) OVER same AS away, count(*) OVER same AS hosts
    FROM hosts
    WINDOW same AS (PARTITION BY suite, scenario, target, params, metric)
),
scored AS (
    SELECT *, away / nullif(1.4826 * median(abs(away)) OVER same, 0) AS z, exp(away) AS ratio
    FROM away
    WHERE hosts >= 5
    WINDOW same AS (PARTITION BY suite, scenario, target, params, metric)
)
SELECT suite, scenario, target, params, metric, host, epoch, ratio, z
FROM scored
JOIN metrics USING (metric)
WHERE (abs(z) > 3.5 OR z IS NULL) AND abs(ratio - 1) >= min_effect AND ratio <> 1
ORDER BY suite, scenario, target, params, metric, host, epoch;
