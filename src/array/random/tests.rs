use super::*;
use std::collections::HashSet;

const KEYS: [Key; 2] = [key_of(BitGenerator::Xoshiro256PlusPlus), key_of(BitGenerator::Philox)];
const KEY: Key = KEYS[0];
const COUNT: usize = 200_000;

const fn key_of(generator: BitGenerator) -> Key {
    Key { generator, seed: 7, stream: 3 }
}

fn source(key: Key) -> Source {
    Source::new(key)
}

fn made<T: Clone + Default>(make: impl FnOnce(&mut [T])) -> Vec<T> {
    let mut output = vec![T::default(); COUNT];
    make(&mut output);
    output
}

fn mean(values: impl IntoIterator<Item = f64>) -> f64 {
    values.into_iter().sum::<f64>() / COUNT as f64
}

/// How often each of so many equally likely things came, as a chi-square in units of its standard deviation
/// from its mean.
fn chi_square(counts: &[u32]) -> f64 {
    let expected = f64::from(counts.iter().sum::<u32>()) / counts.len() as f64;
    let sum: f64 = counts.iter().map(|&count| (f64::from(count) - expected).powi(2) / expected).sum();
    let freedom = (counts.len() - 1) as f64;
    (sum - freedom) / (2.0 * freedom).sqrt()
}

/// The correlation of two sequences of mean 0 and variance 1, in units of its standard deviation.
fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let sum: f64 = a.iter().zip(b).map(|(a, b)| a * b).sum();
    sum / (a.len().min(b.len()) as f64).sqrt()
}

/// Slices of a stream are parts of the whole, by one source after the other slices and by a new one.
fn assert_slices_agree<T>(key: Key, fill: impl Fn(&mut Source, u64, &mut [T]))
where
    T: Clone + Default + PartialEq + std::fmt::Debug,
{
    let mut all = vec![T::default(); 2000];
    fill(&mut source(key), 0, &mut all);
    let mut used = source(key);
    for first in [0, 1, 2, 31, 32, 33, 64, 500, 511, 512, 513, 1000] {
        for length in [0, 1, 2, 15, 31, 32, 33, 64, 300, 500, 511, 512, 513, 900] {
            for source in [&mut source(key), &mut used] {
                let mut part = vec![T::default(); length];
                fill(source, first as u64, &mut part);
                assert_eq!(part, all[first..first + length], "{length} elements from {first}");
            }
        }
    }
    // What follows the last slice.
    let mut parts = vec![T::default(); 2000];
    let mut first = 0;
    for length in (1..).take_while(|length| length * (length + 1) / 2 < 2000) {
        fill(&mut used, first as u64, &mut parts[first..first + length]);
        first += length;
    }
    assert_eq!(parts[..first], all[..first]);
}

#[test]
fn an_element_does_not_depend_on_where_a_slice_starts() {
    for key in KEYS {
        assert_slices_agree(key, bits);
        assert_slices_agree(key, uniform_f64);
        assert_slices_agree(key, uniform_f32);
        assert_slices_agree(key, normal_f64);
        assert_slices_agree(key, normal_f32);
        assert_slices_agree(key, exponential_f64);
        assert_slices_agree(key, exponential_f32);
        assert_slices_agree(key, |source, first, output| bernoulli(source, first, 0.5, output));
        assert_slices_agree(key, |source, first, output| integers(source, first, 0..3_u64 << 62, output));
        assert_slices_agree(key, |source, first, output| integers(source, first, 0..3_u32 << 30, output));
        let permutation = Permutation::new(key, 2000);
        assert_slices_agree(key, |_, first, output| permutation.fill(first, output));
    }
}

/// What each generator makes of seed 7 and stream 3: uniform numbers from element 0 and around the end of the
/// first block, normal numbers, integers from -3 to below 4, and integers of which a quarter draws again.
struct Expected {
    uniform: [f64; 3],
    later: [f64; 3],
    normal: [f64; 3],
    integers: [i32; 6],
    again: [u64; 4],
}

/// The values are part of what a program prints: no later version may change them unnoticed. All but the
/// permutation come from another implementation, in Python.
#[test]
fn the_values_of_a_seed() {
    let philox = Expected {
        uniform: [0.12378288865847975, 0.5997813977679967, 0.45987247503069095],
        later: [0.2720537182448882, 0.06111372503141177, 0.2061371868456745],
        normal: [-0.4618599014909877, 0.4645279410702738, -0.5513258159969866],
        integers: [-3, 1, 0, 0, 3, -1],
        again: [
            1_712_543_450_840_596_770,
            4_427_817_376_978_358_865,
            6_362_362_390_075_907_866,
            7_224_619_236_779_371_381,
        ],
    };
    let xoshiro = Expected {
        uniform: [0.17883489333277103, 0.13398257361335175, 0.616885227688822],
        later: [0.6080936322050108, 0.9351178696077552, 0.9598031311249521],
        normal: [0.09806770281155888, -0.17040438017706075, 3.1672684033068457],
        integers: [-2, -3, 1, 1, -3, -2],
        again: [
            2_474_191_131_569_080_900,
            1_853_656_684_336_838_387,
            8_534_642_938_520_809_665,
            1_990_789_002_845_418_692,
        ],
    };
    for (key, expected) in KEYS.into_iter().zip([xoshiro, philox]) {
        let (mut uniform, mut later, mut normal) = ([0.0; 3], [0.0; 3], [0.0; 3]);
        uniform_f64(&mut source(key), 0, &mut uniform);
        uniform_f64(&mut source(key), 510, &mut later);
        normal_f64(&mut source(key), u64::from(u32::MAX) * 2, &mut normal);
        assert_eq!((uniform, later), (expected.uniform, expected.later));
        let is_near = |(a, b): (&f64, f64)| (a - b).abs() < 1e-14;
        assert!(normal.iter().zip(expected.normal).all(is_near), "{normal:?}");
        let (mut few, mut again) = ([0; 6], [0; 4]);
        integers(&mut source(key), 0, -3..4, &mut few);
        integers(&mut source(key), 0, 0..3 << 62, &mut again);
        assert_eq!((few, again), (expected.integers, expected.again));
        // Its rounds come from Philox in any case.
        let mut permuted = [0; 6];
        Permutation::new(key, 6).fill(0, &mut permuted);
        assert_eq!(permuted, [3, 5, 1, 2, 4, 0]);
    }
}

#[test]
fn uniform_numbers_fill_the_interval_evenly() {
    for key in KEYS {
        let values = made(|output| uniform_f64(&mut source(key), 0, output));
        let mut counts = [0; 1000];
        values.iter().for_each(|value| counts[(value * 1000.0) as usize] += 1);
        assert!(chi_square(&counts).abs() < 4.0);
        let single = made(|output| uniform_f32(&mut source(key), 0, output));
        assert!(single.iter().zip(&values).all(|(&a, &b)| f64::from(a) <= b && b - f64::from(a) < 1e-7));
    }
}

#[test]
fn every_bit_is_set_half_the_time_and_pairs_are_even() {
    for key in KEYS {
        let draws = made(|output| bits(&mut source(key), 1 << 40, output));
        for bit in 0..64 {
            let ones = draws.iter().filter(|&&draw| draw >> bit & 1 == 1).count() as u32;
            assert!(chi_square(&[ones, COUNT as u32 - ones]).abs() < 12.0, "bit {bit}");
        }
        let mut counts = [0; 256];
        draws.windows(2).for_each(|pair| counts[((pair[0] >> 60) << 4 | pair[1] >> 60) as usize] += 1);
        assert!(chi_square(&counts).abs() < 4.0);
    }
}

/// Correlations of the upper and of the lower bits of elements: of one stream, of a block and its neighbours,
/// and of streams whose keys differ little.
#[test]
fn neighbours_seeds_and_streams_do_not_correlate() {
    for key in KEYS {
        for rotation in [0, 32] {
            let scaled = |seed, stream, first| {
                made(|output| bits(&mut source(Key { seed, stream, ..key }), first, output))
                    .into_iter()
                    .map(|draw| (unit(draw.rotate_left(rotation)) - 0.5) * 12_f64.sqrt())
                    .collect::<Vec<_>>()
            };
            let values = scaled(1, 0, 0);
            for lag in [1, 2, 3, 4, 8, 15, 16, 17, 32, 64, 256, 496, 511, 512, 513, 528, 1000, 1024, 2048] {
                assert!(correlation(&values, &values[lag..]).abs() < 4.5, "elements {lag} apart");
            }
            for (seed, stream) in [(0, 0), (2, 0), (1 << 32 | 1, 0), (1, 1), (1, 2), (1, 1 << 31), (0, 1)] {
                let other = scaled(seed, stream, 0);
                assert!(correlation(&values, &other).abs() < 4.5, "seed {seed}, stream {stream}");
            }
            for first in [1 << 33, 512 << 20, 1 << 60] {
                assert!(correlation(&values, &scaled(1, 0, first)).abs() < 4.5, "{first} elements away");
            }
        }
    }
}

/// The first draws of lanes that start from neighbouring states: how many bits differ, and that each bit of
/// one draw is independent of each bit of another.
#[test]
fn starts_of_neighbouring_blocks_have_independent_bits() {
    const BLOCKS: usize = 20_000;
    let mut source = source(KEY);
    let starts: Vec<u64> = (0..BLOCKS as u64)
        .map(|block| {
            let mut draw = [0];
            bits(&mut source, 512 * block, &mut draw);
            draw[0]
        })
        .collect();
    let mut agreements = [[0_u32; 64]; 64];
    for pair in starts.windows(2) {
        for (bit, row) in agreements.iter_mut().enumerate() {
            let agreeing = !(pair[0] ^ (pair[1].rotate_right(bit as u32)));
            row.iter_mut().enumerate().for_each(|(other, count)| *count += (agreeing >> other & 1) as u32);
        }
    }
    let deviation = (BLOCKS as f64 / 4.0).sqrt();
    let half = (BLOCKS - 1) as f64 / 2.0;
    let scores = agreements.as_flattened().iter().map(|&count| ((f64::from(count) - half) / deviation).abs());
    // Of 4,096 scores the largest is 3.7 on average, and above 5.5 once in 6,000 times.
    let worst = scores.fold(0.0, f64::max);
    assert!(worst < 5.5, "{worst}");
}

#[test]
fn normal_numbers_have_their_moments_and_their_distribution() {
    for key in KEYS {
        let values = made(|output| normal_f64(&mut source(key), 1, output));
        let moment = |power| mean(values.iter().map(|value| value.powi(power)));
        let allowed = |variance: f64| 4.0 * (variance / COUNT as f64).sqrt();
        assert!(moment(1).abs() < allowed(1.0));
        assert!((moment(2) - 1.0).abs() < allowed(2.0));
        assert!(moment(3).abs() < allowed(15.0));
        assert!((moment(4) - 3.0).abs() < allowed(96.0));
        // The quartiles and eighths of the distribution.
        let bounds =
            [-1.150_349_38, -0.674_489_75, -0.318_639_36, 0.0, 0.318_639_36, 0.674_489_75, 1.150_349_38];
        let mut counts = [0; 8];
        values.iter().for_each(|value| counts[bounds.partition_point(|bound| bound < value)] += 1);
        assert!(chi_square(&counts).abs() < 4.0);
        assert!(correlation(&values, &values[1..]).abs() < 4.0);
        let single = made(|output| normal_f32(&mut source(key), 1, output));
        assert!(single.iter().zip(&values).all(|(&a, &b)| a == b as f32));
    }
}

#[test]
fn exponential_numbers_have_their_moments_and_their_distribution() {
    for key in KEYS {
        let values = made(|output| exponential_f64(&mut source(key), 0, output));
        assert!(values.iter().all(|value| *value >= 0.0 && value.is_finite()));
        assert!((mean(values.iter().copied()) - 1.0).abs() < 4.0 / (COUNT as f64).sqrt());
        let mut counts = [0; 100];
        values.iter().for_each(|value| counts[((-value).exp() * 100.0).min(99.0) as usize] += 1);
        assert!(chi_square(&counts).abs() < 4.0);
        let single = made(|output| exponential_f32(&mut source(key), 0, output));
        assert!(single.iter().zip(&values).all(|(&a, &b)| a == b as f32));
    }
}

#[test]
fn integers_are_all_equally_likely() {
    for key in KEYS {
        let mut counts = [0; 7];
        made(|output| integers(&mut source(key), 0, -3..4, output))
            .iter()
            .for_each(|value: &i32| counts[(value + 3) as usize] += 1);
        assert!(chi_square(&counts).abs() < 4.0);
        // A quarter of the draws is rejected: without that, each third number would come twice as often.
        let range = 0..3_u64 << 62;
        let values: Vec<u64> = made(|output| integers(&mut source(key), 0, range.clone(), output));
        assert!(values.iter().all(|value| range.contains(value)));
        let mut counts = [0; 3];
        values.iter().for_each(|value| counts[(value % 3) as usize] += 1);
        assert!(chi_square(&counts).abs() < 6.0);
        let mut counts = [0; 12];
        values.iter().for_each(|value| counts[(value >> 60) as usize] += 1);
        assert!(chi_square(&counts).abs() < 4.0);
    }
}

#[test]
fn integers_of_extreme_ranges() {
    for key in KEYS {
        assert!(
            made(|output| integers(&mut source(key), 0, 5..6_u8, output)).iter().all(|&value| value == 5)
        );
        let bytes: HashSet<u8> =
            made(|output| integers(&mut source(key), 0, 0..255, output)).into_iter().collect();
        assert_eq!(bytes.len(), 255);
        let wide: Vec<i64> = made(|output| integers(&mut source(key), 0, i64::MIN..i64::MAX, output));
        let negative = wide.iter().filter(|value| **value < 0).count() as u32;
        assert!(chi_square(&[negative, COUNT as u32 - negative]).abs() < 12.0);
        let wide: Vec<i32> = made(|output| integers(&mut source(key), 0, i32::MIN..i32::MAX, output));
        let negative = wide.iter().filter(|value| **value < 0).count() as u32;
        assert!(chi_square(&[negative, COUNT as u32 - negative]).abs() < 12.0);
    }
}

#[test]
#[should_panic(expected = "a range that is not empty")]
fn an_empty_range_has_no_integers() {
    integers(&mut source(KEY), 0, 3..3, &mut [0_i64]);
}

#[test]
fn probabilities() {
    for key in KEYS {
        for probability in [0.0, 0.001, 0.3, 0.5, 1.0] {
            let count = made(|output| bernoulli(&mut source(key), 0, probability, output))
                .into_iter()
                .filter(|&x| x)
                .count();
            let expected = probability * COUNT as f64;
            let deviation = (expected * (1.0 - probability)).sqrt();
            assert!((count as f64 - expected).abs() <= 4.0 * deviation, "{count} at {probability}");
        }
    }
}

fn permuted(seed: u64, length: u64) -> Vec<u64> {
    let mut output = vec![0; length as usize];
    Permutation::new(Key { seed, stream: 0, ..KEY }, length).fill(0, &mut output);
    output
}

#[test]
fn a_permutation_has_every_number_once() {
    for length in [0, 1, 2, 3, 63, 64, 65, 1000, 4096, 99_991] {
        let mut numbers = permuted(length, length);
        numbers.sort_unstable();
        assert!(numbers.into_iter().eq(0..length), "{length}");
    }
    let mut output = [0; 2];
    Permutation::new(KEY, u64::MAX).fill(u64::MAX - 2, &mut output);
    assert!(output[0] != output[1]);
}

#[test]
fn all_permutations_of_a_few_numbers_are_equally_likely() {
    for length in 2..=5 {
        let mut orders = std::collections::BTreeMap::new();
        (0..12_000).for_each(|seed| *orders.entry(permuted(seed, length)).or_insert(0) += 1);
        let counts: Vec<u32> = orders.into_values().collect();
        assert_eq!(counts.len() as u64, (1..=length).product::<u64>());
        assert!(chi_square(&counts).abs() < 4.0, "{length}");
    }
}

#[test]
fn places_and_neighbours_of_a_large_permutation_are_random() {
    const LENGTH: u64 = 100_000;
    let numbers = permuted(5, LENGTH);
    let scaled: Vec<f64> =
        numbers.iter().map(|&number| (number as f64 / LENGTH as f64 - 0.5) * 12_f64.sqrt()).collect();
    let places: Vec<f64> =
        (0..LENGTH).map(|place| (place as f64 / LENGTH as f64 - 0.5) * 12_f64.sqrt()).collect();
    assert!(correlation(&scaled, &places).abs() < 4.0);
    for lag in [1, 2, 3, 1000] {
        assert!(correlation(&scaled, &scaled[lag..]).abs() < 4.0, "{lag} apart");
    }
    // Where the first tenth of the numbers goes, and the distances of neighbours.
    let tenth = |number: u64| (number * 10 / LENGTH) as usize;
    let mut counts = [0; 10];
    numbers[..LENGTH as usize / 10].iter().for_each(|&number| counts[tenth(number)] += 1);
    assert!(chi_square(&counts).abs() < 4.0);
    let mut counts = [0; 100];
    numbers.windows(2).for_each(|pair| counts[tenth(pair[0]) * 10 + tenth(pair[1])] += 1);
    assert!(chi_square(&counts).abs() < 4.0);
    let mut counts = [0; 10];
    numbers.windows(2).for_each(|pair| counts[tenth((pair[1] + LENGTH - pair[0]) % LENGTH)] += 1);
    assert!(chi_square(&counts).abs() < 4.0);
}

#[test]
#[should_panic(expected = "no elements beyond its length")]
fn a_permutation_ends() {
    Permutation::new(KEY, 10).fill(9, &mut [0; 2]);
}
