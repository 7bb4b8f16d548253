// Counts the points of one task that lie in the quarter circle: the same points as `points.rs`, and the
// same exact test. WIDTH is how many points an item makes at a time, GROUP how many items are in a group.

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)

#if WIDTH == 1
typedef ulong draws;
typedef uint counts;
#define LOAD(from) (from)[0]
#define SQUARE_HIGH(draw) ((ulong)(uint)((draw) >> 32) * (uint)((draw) >> 32))
#define SQUARE_LOW(draw) ((ulong)(uint)(draw) * (uint)(draw))
// One where a comparison holds.
#define ONE(comparison) (comparison)
#else
typedef JOIN(ulong, WIDTH) draws;
typedef JOIN(ulong, WIDTH) counts;
#define LOAD(from) JOIN(vload, WIDTH)(0, from)
#define STORE(what, to) JOIN(vstore, WIDTH)(what, 0, to)
#define SQUARE_HIGH(draw) (((draw) >> 32) * ((draw) >> 32))
#define SQUARE_LOW(draw) (((draw) & 0xffffffffUL) * ((draw) & 0xffffffffUL))
// A comparison of vectors gives -1 where it holds.
#define ONE(comparison) (-JOIN(as_ulong, WIDTH)(comparison))
#endif

#define GOLDEN 0x9e3779b97f4a7c15UL
// A counter of 32 bits holds these rows.
#define ROWS_MAX (1UL << 30)

#define MIX(bits)                                        \
    bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9UL; \
    bits = (bits ^ (bits >> 27)) * 0x94d049bb133111ebUL; \
    bits = bits ^ (bits >> 31)

kernel __attribute__((reqd_work_group_size(GROUP, 1, 1)))
void count_inside(ulong state, ulong first, ulong count, global ulong *group_totals) {
    ulong item = get_global_id(0), items = get_global_size(0);
    ulong rows = count / (items * WIDTH);
    ulong total = 0;

    // Whole rows: in each, every item makes the next WIDTH points.
    ulong lanes[WIDTH];
    for (uint lane = 0; lane < WIDTH; lane++)
        lanes[lane] = state + (first + item * WIDTH + lane + 1) * GOLDEN;
    draws states = LOAD(lanes);
    const ulong step = items * WIDTH * GOLDEN;
    for (ulong left = rows; left > 0;) {
        uint some = (uint)min(left, ROWS_MAX);
        counts inside = 0;
        for (uint row = 0; row < some; row++) {
            draws draw = states;
            MIX(draw);
            draws x = SQUARE_HIGH(draw);
            draws sum = x + SQUARE_LOW(draw);
            // Inside if the sum fits into 64 bits.
            inside += ONE(sum >= x);
            states += step;
        }
        left -= some;
        ulong parts[WIDTH];
#if WIDTH == 1
        parts[0] = inside;
#else
        STORE(inside, parts);
#endif
        for (uint lane = 0; lane < WIDTH; lane++)
            total += parts[lane];
    }

    // What is left over: at most WIDTH points an item.
    for (ulong point = rows * items * WIDTH + item; point < count; point += items) {
        ulong draw = state + (first + point + 1) * GOLDEN;
        MIX(draw);
        ulong x = (draw >> 32) * (draw >> 32);
        total += (x + (draw & 0xffffffffUL) * (draw & 0xffffffffUL)) >= x;
    }

    // The group's sum, by halves.
    local ulong totals[GROUP];
    uint place = get_local_id(0);
    totals[place] = total;
    for (uint half_size = GROUP / 2; half_size > 0; half_size /= 2) {
        barrier(CLK_LOCAL_MEM_FENCE);
        if (place < half_size)
            totals[place] += totals[place + half_size];
    }
    if (place == 0)
        group_totals[get_group_id(0)] = totals[0];
}
