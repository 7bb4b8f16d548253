use super::*;
use serde::{Deserialize, Serialize, Serializer};
use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap, HashSet},
    fmt::Debug,
    time::Duration,
};

fn encoded<T: Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    append(value, &mut bytes).unwrap();
    bytes
}

/// It is read as it was, and is believed to be.
fn same<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: T) {
    let bytes = encoded(&value);
    assert_eq!(read::<T>(&bytes).unwrap().0, value);
    check::<T>(&bytes).unwrap();
    read_checked::<T>(&bytes).unwrap();
}

/// It is refused before it is sent, and when it is read.
fn refused<T: Serialize + DeserializeOwned>(value: T, words: &str) {
    let bytes = encoded(&value);
    for error in [check::<T>(&bytes).err(), read_checked::<T>(&bytes).err()] {
        let error = error.expect("it would arrive as another value").to_string();
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn types_of_the_language_are_read_as_they_were() {
    same(());
    same((true, false, 'ß', '\u{10ffff}', "ab".to_string(), String::new()));
    same((i8::MIN, i16::MIN, i32::MIN, i64::MIN, i128::MIN));
    same((u8::MAX, u16::MAX, u32::MAX, u64::MAX, u128::MAX, i128::MAX));
    same([1i64, -1, 63, -64, 64, i64::MAX]);
    same(vec![Some(None), Some(Some(())), None]);
    same(vec![Some(Some(Some(1u8))), Some(Some(None)), Some(None), None]);
    same((Some(()), None::<()>));
    same((Ok::<u8, String>(3), Err::<u8, String>("no".into())));
    same(BTreeMap::from([((1u8, 'a'), vec![1.5f32]), ((2, 'b'), vec![])]));
    same(BTreeMap::from([(vec![1u64], BTreeMap::from([(Some(1i8), ())]))]));
    same((0..3u32).map(|key| (key, key.to_string())).collect::<HashMap<_, _>>());
    same((0..300u16).collect::<HashSet<_>>());
    same((Duration::from_nanos(1_000_000_001), std::net::Ipv6Addr::LOCALHOST, 1u8..4));
    same((std::path::PathBuf::from("/a/b"), std::num::Wrapping(3u8), Box::new(4i16)));
    same(vec![(); 3]);
    for length in [0, 1, 2, 254, 255, 256, 511, 1000] {
        same((0..length).map(|i| i as u8).collect::<Vec<_>>());
        same((0..length).map(|i| (i as f64).sqrt()).collect::<Vec<_>>());
        same((0..length).map(|i| i % 3 == 0).collect::<Vec<_>>());
        same((0..length).map(|i| Some(i).filter(|i| i % 3 == 0)).collect::<Vec<_>>());
    }
    let nan = f32::from_bits(0x7fa0_1234);
    assert_eq!(read::<f32>(&encoded(&nan)).unwrap().0.to_bits(), nan.to_bits());
    let nan = f64::from_bits(0xfff4_0000_0000_1234);
    assert_eq!(read::<Vec<f64>>(&encoded(&vec![nan, -0.0])).unwrap().0[0].to_bits(), nan.to_bits());
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
enum Phase {
    Solid,
    #[serde(skip)]
    Hidden,
    Liquid,
    Gas(u8),
    #[serde(rename = "p")]
    Plasma {
        #[serde(rename = "t")]
        temperature: f64,
    },
    Pair(u8, i8),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Request {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tags: Option<Vec<u8>>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    rows: Vec<u8>,
    columns: Vec<u8>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Number(i64),
    Text(String),
    Pair(f32, char),
    Named { phase: Phase, map: HashMap<String, u8> },
    Nothing,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind")]
enum Tagged {
    A { x: u8, y: Option<u8> },
    B(Request),
    C,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "content")]
enum Adjacent {
    A(u8, Vec<Phase>),
    B { x: Option<()> },
    C,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Other {
    A,
    #[serde(other)]
    Unknown,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Flat {
    first: u8,
    #[serde(flatten)]
    request: Request,
    #[serde(flatten)]
    rest: BTreeMap<String, Untagged>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Various {
    #[serde(with = "as_text")]
    with: u64,
    #[serde(with = "serde_bytes")]
    bytes: Vec<u8>,
    cow: Cow<'static, str>,
    #[serde(alias = "old")]
    new: Unit,
    pair: Pair,
    only: Only,
    #[serde(skip)]
    skipped: u8,
}

mod as_text {
    use super::*;
    pub(super) fn serialize<S: Serializer>(value: &u64, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(value)
    }
    pub(super) fn deserialize<'de, D: serde::Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Unit;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Pair(u8, String);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
struct Only(Vec<Phase>);

#[test]
fn types_with_attributes_of_serde_are_read_as_they_were() {
    let phases = vec![
        Phase::Solid,
        Phase::Liquid,
        Phase::Gas(3),
        Phase::Plasma { temperature: f64::INFINITY },
        Phase::Pair(1, -1),
        Phase::Solid,
    ];
    phases.iter().for_each(|phase| same(*phase));
    same(phases.clone());
    same(Request { tags: None, rows: vec![1], columns: vec![0, 0] });
    same(Request { tags: Some(vec![]), rows: vec![], columns: vec![0, 0] });
    let request = || Request { tags: None, rows: vec![], columns: vec![7] };
    same(vec![Untagged::Number(-3), Untagged::Text("a".into()), Untagged::Pair(1.5, 'x'), Untagged::Nothing]);
    for phase in [Phase::Liquid, Phase::Gas(1), Phase::Pair(1, 2), Phase::Plasma { temperature: 1.0 }] {
        same(Untagged::Named { phase, map: (0..9).map(|i| (i.to_string(), i)).collect() });
    }
    same(vec![Tagged::A { x: 1, y: None }, Tagged::A { x: 1, y: Some(2) }, Tagged::B(request()), Tagged::C]);
    same(vec![
        Adjacent::A(1, phases.clone()),
        Adjacent::B { x: Some(()) },
        Adjacent::B { x: None },
        Adjacent::C,
    ]);
    same(vec![Other::A, Other::Unknown]);
    let rest = [("a", Untagged::Number(1)), ("b", Untagged::Text("t".into()))];
    let rest = rest.into_iter().map(|(key, value)| (key.to_string(), value)).collect();
    same(Flat { first: 1, request: request(), rest });
    same(Various {
        with: 12,
        bytes: vec![1, 2, 3],
        cow: "cow".into(),
        new: Unit,
        pair: Pair(1, "b".into()),
        only: Only(phases),
        skipped: 0,
    });
    same(serde_json::json!({"a": [1, -2, 3.5, null, true, "x"], "b": {"c": {}}, "": []}));
}

/// Types that do not read what they write.
#[derive(Serialize, Deserialize)]
struct NoDefault {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    rows: Vec<u8>,
    columns: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
struct OtherDefault {
    #[serde(skip_serializing_if = "is_zero", default = "one")]
    count: u8,
}

fn is_zero(count: &u8) -> bool {
    *count == 0
}

fn one() -> u8 {
    1
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Alike {
    Small(u8),
    Large(u16),
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Wide {
    Number(i128),
}

#[derive(Serialize, Deserialize)]
struct OneWay {
    #[serde(skip_serializing)]
    #[expect(dead_code)]
    a: u8,
    b: u8,
}

#[derive(Serialize, Deserialize)]
struct NotRead {
    inner: Option<NotReadInner>,
}

#[derive(Serialize, Deserialize)]
struct NotReadInner {
    #[serde(skip_deserializing)]
    a: u8,
    b: u8,
}

#[test]
fn values_that_would_arrive_as_others_are_refused() {
    refused(NoDefault { rows: vec![], columns: vec![1] }, "missing field `rows`");
    refused(OtherDefault { count: 0 }, "arrives as another value");
    check::<OtherDefault>(&encoded(&OtherDefault { count: 2 })).unwrap();
    refused(Alike::Large(5), "arrives as another value");
    check::<Alike>(&encoded(&Alike::Small(5))).unwrap();
    refused(Wide::Number(5), "as i128");
    refused(OneWay { a: 1, b: 2 }, "missing field `a`");
    refused(NotRead { inner: Some(NotReadInner { a: 1, b: 2 }) }, "arrives as another value");
    let error = append(&vec![Phase::Hidden], &mut Vec::new()).unwrap_err().to_string();
    assert!(error.contains("Phase::Hidden"), "{error}");
}

#[test]
fn an_error_names_the_field() {
    #[derive(Debug, Serialize, Deserialize)]
    struct Outer {
        inner: Inner,
    }
    #[derive(Debug, Serialize, Deserialize)]
    struct Inner {
        #[serde(serialize_with = "fails")]
        value: u8,
    }
    fn fails<S: Serializer>(_: &u8, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("no"))
    }
    let error = append(&Outer { inner: Inner { value: 1 } }, &mut Vec::new()).unwrap_err();
    assert_eq!(error.to_string(), "field `inner.value`: no");
}

#[test]
fn bytes_of_another_type_or_broken_ones_are_refused() {
    assert!(read::<u8>(&encoded(&"text")).is_err());
    assert!(read::<(u8,)>(&encoded(&(1u8, 2u8))).is_err());
    assert!(read::<Vec<u8>>(&encoded(&vec![1u64 << 40])).is_err());
    assert!(
        read::<u8>(&[&encoded(&1u8)[..], &[0]].concat())
            .unwrap_err()
            .to_string()
            .contains("1 bytes are left")
    );
    let bytes = encoded(&(vec![Phase::Gas(1), Phase::Solid], vec![1u16; 300], "text".to_string()));
    for end in 0..bytes.len() {
        assert!(read::<(Vec<Phase>, Vec<u16>, String)>(&bytes[..end]).is_err(), "{end}");
    }
    for place in 0..bytes.len() {
        for bit in 0..8 {
            let mut bytes = bytes.clone();
            bytes[place] ^= 1 << bit;
            let _ = read::<(Vec<Phase>, Vec<u16>, String)>(&bytes);
            let _ = digest::of(&bytes);
        }
    }
}

#[test]
fn small_values_stay_small() {
    assert_eq!(encoded(&5u64).len(), 2);
    assert_eq!(encoded(&5.0f64).len(), 9);
    assert_eq!(encoded(&vec![7u8; 1000]).len(), 1000 + 3 + 4 * 3);
    // The names are written once.
    let request = Request { tags: Some(vec![1]), rows: vec![1], columns: vec![1] };
    assert!(encoded(&vec![request.clone(); 100]).len() < 100 * 22 + 40);
    assert!(encoded(&vec![Phase::Solid; 100]).len() < 220);
}

#[test]
fn the_memory_of_a_value_is_estimated() {
    let words: Vec<String> = (0..1000).map(|i| (i % 10).to_string()).collect();
    let bytes = encoded(&words);
    // A string of a letter: 24 bytes, and 32 of the allocator.
    let (_, found) = read::<Vec<String>>(&bytes).unwrap();
    assert!((56_000..57_000).contains(&found.memory_bytes), "{}", found.memory_bytes);
    let mut again = Vec::new();
    let mut writer = Writer::new(&mut again);
    words.serialize(&mut writer).unwrap();
    assert_eq!(writer.memory_bytes(), found.memory_bytes);
}
