// Division as Python has it, and whole powers. Integers wrap; dividing one by zero gives zero.

#define UNSIGNED_INTEGERS(T)                                                     \
    T floor_divide_##T(T a, T b) { return b == 0 ? 0 : a / (b == 0 ? 1 : b); }   \
    T remainder_##T(T a, T b) { return b == 0 ? 0 : a % (b == 0 ? 1 : b); }      \
    T power_##T(T base, T exponent) {                                            \
        ulong product = 1, factor = base;                                        \
        for (ulong left = exponent; left != 0; left >>= 1) {                     \
            if (left & 1) product *= factor;                                     \
            factor *= factor;                                                    \
        }                                                                        \
        return (T)product;                                                       \
    }

#define SIGNED_INTEGERS(T, U)                                                    \
    T floor_divide_##T(T a, T b) {                                               \
        if (b == 0) return 0;                                                    \
        if (b == -1) return (T)(0 - (U)a);                                       \
        T quotient = a / b;                                                      \
        return a % b != 0 && (a < 0) != (b < 0) ? quotient - 1 : quotient;       \
    }                                                                            \
    T remainder_##T(T a, T b) {                                                  \
        if (b == 0 || b == -1) return 0;                                         \
        T rest = a % b;                                                          \
        return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;             \
    }                                                                            \
    T power_##T(T base, T exponent) {                                            \
        if (exponent < 0) return 0;                                              \
        ulong product = 1, factor = (ulong)(long)base;                           \
        for (ulong left = (ulong)exponent; left != 0; left >>= 1) {              \
            if (left & 1) product *= factor;                                     \
            factor *= factor;                                                    \
        }                                                                        \
        return (T)product;                                                       \
    }

#define REALS(T)                                                                 \
    T floor_divide_##T(T a, T b) {                                               \
        T rest = fmod(a, b);                                                     \
        if (b == 0) return a / b;                                                \
        T quotient = (a - rest) / b;                                             \
        if (rest != 0 && (b < 0) != (rest < 0)) quotient -= 1;                   \
        if (quotient == 0) return (a / b) * 0;                                   \
        T lower = floor(quotient);                                               \
        return quotient - lower > 0.5f ? lower + 1 : lower;                      \
    }                                                                            \
    T remainder_##T(T a, T b) {                                                  \
        T rest = fmod(a, b);                                                     \
        if (b == 0) return rest;                                                 \
        if (rest == 0) return copysign(rest, b);                                 \
        return (b < 0) != (rest < 0) ? rest + b : rest;                          \
    }

UNSIGNED_INTEGERS(uchar)
UNSIGNED_INTEGERS(ushort)
UNSIGNED_INTEGERS(uint)
UNSIGNED_INTEGERS(ulong)
SIGNED_INTEGERS(char, uint)
SIGNED_INTEGERS(short, uint)
SIGNED_INTEGERS(int, uint)
SIGNED_INTEGERS(long, ulong)
REALS(float)
#ifdef DOUBLES
REALS(double)
#endif
