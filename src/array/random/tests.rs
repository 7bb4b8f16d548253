use super::*;

const KEY: Key = Key { seed: 7, stream: 3 };

#[test]
fn an_element_does_not_depend_on_where_a_slice_starts() {
    let mut all = [0.0; 1000];
    normal_f64(KEY, 0, &mut all);
    for first in [0, 1, 2, 63, 64, 65, 500] {
        for length in [0, 1, 2, 63, 64, 65, 130, 500] {
            let mut part = vec![0.0; length];
            normal_f64(KEY, first as u64, &mut part);
            assert_eq!(part, all[first..first + length]);
        }
    }
}
