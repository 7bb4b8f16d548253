// Random numbers by element index, the same as `array/random` makes.

// The draws of elements `2 * block` and `2 * block + 1`: Philox4x32-10.
ulong philox_block(ulong block, uint attempt, ulong seed, uint stream, ulong *second) {
    uint a = (uint)block, b = (uint)(block >> 32), c = stream, d = attempt;
    uint key_0 = (uint)seed, key_1 = (uint)(seed >> 32);
    for (uint round = 0; round < 10; round++) {
        ulong left = (ulong)a * 0xd2511f53UL, right = (ulong)c * 0xcd9e8d57UL;
        a = (uint)(right >> 32) ^ b ^ key_0;
        b = (uint)right;
        c = (uint)(left >> 32) ^ d ^ key_1;
        d = (uint)left;
        key_0 += 0x9e3779b9U;
        key_1 += 0xbb67ae85U;
    }
    *second = c | (ulong)d << 32;
    return a | (ulong)b << 32;
}

// Both draws of the pair that an element belongs to, which are those of elements 1 apart.
ulong philox(ulong index, ulong seed, uint stream, ulong *second) {
    return philox_block(index >> 1, 0, seed, stream, second);
}

ulong mix(ulong bits) {
    bits = (bits ^ bits >> 30) * 0xbf58476d1ce4e5b9UL;
    bits = (bits ^ bits >> 27) * 0x94d049bb133111ebUL;
    return bits ^ bits >> 31;
}

// Both draws of the pair that an element belongs to, which are those of elements 16 apart: xoshiro256++, from the
// start of the element's lane on.
ulong xoshiro(ulong index, ulong key_0, ulong key_1, ulong key_2, ulong key_3, ulong *second) {
    ulong lane = ((index >> 9 << 4) + (index & 15) + 1) * 0x9e3779b97f4a7c15UL;
    ulong a = mix(key_0 + lane), b = mix(key_1 + lane), c = mix(key_2 + lane), d = mix(key_3 + lane);
    for (uint step = index >> 4 & 30; step > 0; step--) {
        ulong e = c ^ a, f = d ^ b;
        a ^= f;
        d = rotate(f, 45UL);
        c = e ^ b << 17;
        b ^= e;
    }
    ulong next_a = a ^ d ^ b, next_d = rotate(d ^ b, 45UL);
    *second = rotate(next_a + next_d, 23UL) + next_a;
    return rotate(a + d, 23UL) + a;
}

// From 0 up to but not 1, in steps of 2^-24.
float uniform_float(ulong bits) {
    return (float)(int)(bits >> 40) * 0x1p-24f;
}

// A number, or the limit that it is beyond.
float within_float(float number, float least, float most) {
    number = number < least ? least : number;
    return number > most ? most : number;
}

// One of `span` numbers, all alike: draws whose lower half is below `least` are drawn again.
ulong below(ulong bits, ulong index, ulong span, ulong least, ulong seed, uint stream) {
    for (uint attempt = 1; bits * span < least; attempt++) {
        ulong second, first = philox_block(index >> 1, attempt, seed, stream, &second);
        bits = index & 1 ? second : first;
    }
    return mul_hi(bits, span);
}

#ifdef DOUBLES
double unit(ulong bits) {
    return (double)(bits >> 11) * 0x1p-53;
}

double within_double(double number, double least, double most) {
    number = number < least ? least : number;
    return number > most ? most : number;
}

double uniform_double(ulong bits) {
    return unit(bits);
}

// `array/math/logarithm.rs`, for numbers above 0 up to 1. Every step is rounded as it is there.
double logarithm(double x) {
    const ulong root = 0x3fe6a09e00000000UL;
    ulong bits = as_ulong(x) + (0x3ff0000000000000UL - root);
    double k = as_double(((bits >> 52) + 54) | 0x4330000000000000UL) - 4503599627371573.0;
    double f = as_double((bits & 0x000fffffffffffffUL) + root) - 1.0;
    double half_square = 0.5 * f * f;
    double s = f / (2.0 + f);
    double z = s * s;
    double w = z * z;
    double w2 = w * w;
    double odd = z * ((0.6666666666666735 + 0.2857142874366239 * w)
        + (0.1818357216161805 + 0.14798198605116586 * w) * w2);
    double even = w * ((0.3999999999940942 + 0.22222198432149784 * w) + 0.15313837699209373 * w2);
    double rest = s * (half_square + (odd + even));
    double lower = rest + k * 1.9082149292705877e-10;
    return k * 6.931471803691238e-1 - ((half_square - lower) - f);
}

// `array/math/trigonometric.rs`: sine and cosine of so many turns, from 0 to 1.
void sine_and_cosine(double turns, double *sine, double *cosine) {
    const double shift = 6755399441055744.0;
    double shifted = 4.0 * turns + shift;
    ulong quadrant = as_ulong(shifted) - as_ulong(shift);
    double r = (4.0 * turns - (shifted - shift)) * 1.5707963267948966;
    double square = r * r;
    double square2 = square * square;
    double s = ((-1.6666666666666632e-1 + 8.33333333332249e-3 * square)
        + (-1.984126982985795e-4 + 2.7557313707070068e-6 * square) * square2)
        + (-2.5050760253406863e-8 + 1.58969099521155e-10 * square) * (square2 * square2);
    double c = ((4.16666666666666e-2 + -1.388888888887411e-3 * square)
        + (2.480158728947673e-5 + -2.7557314351390663e-7 * square) * square2)
        + (2.087572321298175e-9 + -1.1359647557788195e-11 * square) * (square2 * square2);
    double of_even = r + (r * square * s + 0.0);
    double of_odd = 1.0 - (0.5 * square - square * square * c);
    double first = quadrant & 1 ? of_odd : of_even, second = quadrant & 1 ? of_even : of_odd;
    *sine = as_double(as_ulong(first) ^ (quadrant & 2) << 62);
    *cosine = as_double(as_ulong(second) ^ ((quadrant + 1) & 2) << 62);
}

double normal_double(ulong first, ulong second, bool is_second) {
    double distance = sqrt(-2.0 * logarithm(1.0 - unit(first)));
    double sine, cosine;
    sine_and_cosine(unit(second), &sine, &cosine);
    return distance * (is_second ? sine : cosine);
}

double exponential_double(ulong bits) {
    return -logarithm(1.0 - unit(bits));
}

float normal_float(ulong first, ulong second, bool is_second) {
    return (float)normal_double(first, second, is_second);
}

float exponential_float(ulong bits) {
    return (float)exponential_double(bits);
}
#endif
