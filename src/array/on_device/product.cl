#pragma OPENCL FP_CONTRACT ON
#ifdef DOUBLES
#pragma OPENCL EXTENSION cl_khr_fp64 : enable
#endif

// A group makes SIDE x SIDE elements of the result, DEPTH products of each at a time; each of its
// ITEMS x ITEMS items makes EACH x EACH of them, as far apart as there are items, so that neighbours
// read neighbours.
#define ITEMS 16
#define EACH 4
#define SIDE (ITEMS * EACH)
#define DEPTH 16

// Adds the products of stacks of matrices, rows x length and length x columns, to what was before, if
// anything was. `before` may be `result`: each item reads what it writes.
kernel __attribute__((reqd_work_group_size(ITEMS, ITEMS, 1)))
void product(
    global NUMBER *result,
    global const NUMBER *before,
    const uint has_before,
    global const NUMBER *restrict left,
    global const NUMBER *restrict right,
    const uint rows,
    const uint length,
    const uint columns)
{
    // Columns of the left tile lie one bank apart.
    local NUMBER left_tile[DEPTH][SIDE + 1];
    local NUMBER right_tile[DEPTH][SIDE];
    const uint x = get_local_id(0), y = get_local_id(1), item = y * ITEMS + x;
    const uint first_column = get_group_id(0) * SIDE, first_row = get_group_id(1) * SIDE;
    const size_t matrix = get_group_id(2);
    left += matrix * rows * length;
    right += matrix * length * columns;
    result += matrix * rows * columns;
    before += matrix * rows * columns;
    NUMBER sums[EACH][EACH];
    for (uint i = 0; i < EACH; i++) {
        for (uint j = 0; j < EACH; j++) {
            const uint row = first_row + y + i * ITEMS, column = first_column + x + j * ITEMS;
            const bool is_inside = has_before && row < rows && column < columns;
            sums[i][j] = is_inside ? before[(size_t)row * columns + column] : 0;
        }
    }
    for (uint start = 0; start < length; start += DEPTH) {
        for (uint at = item; at < SIDE * DEPTH; at += ITEMS * ITEMS) {
            const uint row = first_row + at / DEPTH, inner = start + at % DEPTH;
            const bool is_inside = row < rows && inner < length;
            left_tile[at % DEPTH][at / DEPTH] = is_inside ? left[(size_t)row * length + inner] : 0;
        }
        for (uint at = item; at < SIDE * DEPTH; at += ITEMS * ITEMS) {
            const uint inner = start + at / SIDE, column = first_column + at % SIDE;
            const bool is_inside = inner < length && column < columns;
            right_tile[at / SIDE][at % SIDE] = is_inside ? right[(size_t)inner * columns + column] : 0;
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        for (uint inner = 0; inner < DEPTH; inner++) {
            NUMBER own_left[EACH], own_right[EACH];
            for (uint i = 0; i < EACH; i++) own_left[i] = left_tile[inner][y + i * ITEMS];
            for (uint j = 0; j < EACH; j++) own_right[j] = right_tile[inner][x + j * ITEMS];
            for (uint i = 0; i < EACH; i++) {
                for (uint j = 0; j < EACH; j++) sums[i][j] += own_left[i] * own_right[j];
            }
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    for (uint i = 0; i < EACH; i++) {
        for (uint j = 0; j < EACH; j++) {
            const uint row = first_row + y + i * ITEMS, column = first_column + x + j * ITEMS;
            if (row < rows && column < columns) result[(size_t)row * columns + column] = sums[i][j];
        }
    }
}

// `result` may be `before`.
kernel void add(global NUMBER *result, global const NUMBER *before, global const NUMBER *part)
{
    const size_t at = get_global_id(0);
    result[at] = before[at] + part[at];
}
