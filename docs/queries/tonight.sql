-- Who regressed tonight: in the newest night of its host, a series is worse than the 99 % prediction interval of its base, and by the
-- metric's smallest effect and floor. The base has up to 7 nights, of which the newest is the fourth before tonight.
WITH back AS (
    SELECT run_id, row_number() OVER (PARTITION BY host, epoch, suite ORDER BY started_at DESC, run_id DESC) - 1 AS back
    FROM runs
    WHERE NOT again AND series > 0
),
nights AS (
    SELECT suite, scenario, target, params, metric, host, epoch, run_id, back, ln(median) AS y
    FROM series
    JOIN back USING (run_id)
    WHERE median > 0 AND isfinite(median)
),
base AS (
    SELECT suite, scenario, target, params, metric, host, epoch, avg(y) AS mean, stddev_samp(y) AS sd, count(*) AS k
    FROM nights
    WHERE back BETWEEN 4 AND 10
    GROUP BY ALL
),
student(k, t) AS ( -- quantile 0.995 of Student's t with k - 1 degrees of freedom
    VALUES (3, 9.924843200918), (4, 5.840909309733), (5, 4.604094871350), (6, 4.032142983555), (7, 3.707428021325)
),
judged AS (
    SELECT nights.*, k, exp(y - mean) AS ratio, t * sd * sqrt(1 + 1.0 / k) AS half, abs(exp(y) - exp(mean)) AS moved,
           (y - mean) * CASE better WHEN 'lower' THEN 1 WHEN 'higher' THEN -1 END AS worse, metrics.min_effect, metrics.floor
    FROM nights
    JOIN base USING (suite, scenario, target, params, metric, host, epoch)
    JOIN student USING (k)
    JOIN metrics USING (metric)
    WHERE back = 0
)
SELECT suite, scenario, target, params, metric, host, epoch, run_id, ratio, half, k AS base
FROM judged
WHERE worse > half AND abs(ratio - 1) >= min_effect AND moved >= floor
ORDER BY suite, scenario, target, params, metric, host, epoch;
