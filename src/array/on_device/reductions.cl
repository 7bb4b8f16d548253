// What reductions do with one more element, and with the state of other elements.

#ifdef DOUBLES
// Adds to a sum whose rounding error is kept beside it (Knuth's TwoSum). An infinity loses nothing.
#define ADD_EXACTLY(sum, error, value)                                      \
    {                                                                       \
        const double more_ = (value), total_ = sum + more_;                 \
        const double back_ = total_ - sum;                                  \
        const double lost_ = (sum - (total_ - back_)) + (more_ - back_);    \
        sum = total_;                                                       \
        error += isnan(lost_) ? 0.0 : lost_;                                \
    }

// The mean of two, of which each has a share. Their distance may be infinite where both are finite.
#define MOVED(mean, distance, other, share, other_share, step)              \
    (isfinite(distance) ? mean + (step) : mean * (share) + (other) * (other_share))

// One more element (Welford), and those of another state (Chan, Golub and LeVeque).
#define ADD_DISTANCE(count, mean, squares, value)                           \
    {                                                                       \
        const double more_ = (value), distance_ = more_ - mean;             \
        count += 1;                                                         \
        mean = MOVED(mean, distance_, more_, (count - 1) / count, 1 / count, distance_ / count); \
        squares += distance_ * (more_ - mean);                              \
    }
#define ADD_MOMENTS(count, mean, squares, count2, mean2, squares2)          \
    if (count2 != 0) {                                                      \
        const double total_ = count + count2, distance_ = mean2 - mean;     \
        squares += squares2 + (count == 0 ? 0 : distance_ * distance_ * (count * count2 / total_)); \
        mean = MOVED(mean, distance_, mean2, count / total_, count2 / total_, distance_ * (count2 / total_)); \
        count = total_;                                                     \
        if (!isfinite(mean)) squares = NAN;                                 \
    }
#endif

// Keeps the better of two. BETTER(a, b): whether a comes before b.
#define CHOOSE(best, value, BETTER, IS_NAN)                                 \
    if (!IS_NAN(best) && (BETTER(value, best) || IS_NAN(value))) best = value;
#define CHOOSE_NUMBER(best, value, BETTER, IS_NAN)                          \
    if (BETTER(value, best)) best = value;

// Keeps the first of the best, and where it is; NaN is better than any number. -1 is no place.
#define CANDIDATE(best, place, value, where, BETTER, IS_NAN)                \
    if ((where) >= 0) {                                                     \
        const long where_ = (where);                                        \
        const int old_ = IS_NAN(best), new_ = IS_NAN(value);                \
        const int is_better_ = old_ != new_ ? new_                          \
            : old_ ? where_ < place                                         \
            : BETTER(value, best) || (!BETTER(best, value) && where_ < place); \
        if (place < 0 || is_better_) {                                      \
            best = value;                                                   \
            place = where_;                                                 \
        }                                                                   \
    }

#define LESS(a, b) ((a) < (b))
#define GREATER(a, b) ((a) > (b))
#define NEVER(a) 0
// Of zeros the negative one is less.
#define LESS_REAL(a, b) ((a) < (b) || ((a) == (b) && signbit(a) != 0 && signbit(b) == 0))
#define GREATER_REAL(a, b) LESS_REAL(b, a)
