#include <math.h>
#include <stdlib.h>

#include "base/rng.h"
#include "twotier_bench.h"

enum { RESAMPLES = 4000 };

/* ---- keys ----------------------------------------------------------------------------------- */

static double zipf[BENCH_KEYS];
static uint16_t scattered[BENCH_KEYS];

void bench_zipf_init(void)
{
    uint64_t rng = 7;
    double sum = 0;

    for (int i = 0; i < BENCH_KEYS; i++)
        zipf[i] = sum += 1 / pow(i + 1, 0.99);
    for (int i = 0; i < BENCH_KEYS; i++) {
        zipf[i] /= sum;
        scattered[i] = (uint16_t)(i + 1);
    }
    /* Ranks are not neighbours: popular rows are spread over the pages of the table. */
    for (int i = BENCH_KEYS - 1; i > 0; i--) {
        int j = (int)(tt_splitmix64(&rng) % (uint64_t)(i + 1));
        uint16_t t = scattered[i];

        scattered[i] = scattered[j];
        scattered[j] = t;
    }
}

int64_t bench_draw(uint64_t *rng)
{
    double u = (double)(tt_splitmix64(rng) >> 11) / 9007199254740992.0;
    int low = 0, high = BENCH_KEYS - 1;

    while (low < high) {
        int mid = (low + high) / 2;

        if (zipf[mid] < u)
            low = mid + 1;
        else
            high = mid;
    }
    return scattered[low];
}

/* ---- figures -------------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median_in_place(double *values, int n)
{
    qsort(values, (size_t)n, sizeof(*values), by_value);
    return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

double bench_median(const double *values, int n)
{
    double sorted[BENCH_ROUNDS_MAX];

    memcpy(sorted, values, (size_t)n * sizeof(*values));
    return median_in_place(sorted, n);
}

void bench_ratio(const double *ours, const double *bare, int n, bench_row *out)
{
    static double medians[RESAMPLES];
    double ratios[BENCH_ROUNDS_MAX], picked[BENCH_ROUNDS_MAX];
    uint64_t rng = 12345;

    for (int i = 0; i < n; i++)
        ratios[i] = ours[i] / bare[i];
    for (int i = 0; i < RESAMPLES; i++) {
        for (int j = 0; j < n; j++)
            picked[j] = ratios[tt_splitmix64(&rng) % (uint64_t)n];
        medians[i] = median_in_place(picked, n);
    }
    qsort(medians, RESAMPLES, sizeof(*medians), by_value);
    out->ours = bench_median(ours, n);
    out->bare = bench_median(bare, n);
    out->ratio = bench_median(ratios, n);
    out->low = medians[RESAMPLES / 40];
    out->high = medians[RESAMPLES - 1 - RESAMPLES / 40];
}
