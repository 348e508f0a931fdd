//! A parsed body that borrows its texts, and lenient readers for single values.
//!
//! Why not `serde_json::Value`: it copies every key and text, and asks for memory for each object, which is most of the time
//! that an event takes. Here all of a body lies in one arena. Every reader answers `None` to what it cannot read exactly;
//! whether that matters is for the caller to say.

use std::collections::BTreeMap;
use std::fmt;

use bumpalo::Bump;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::domain::time::Timestamp;

/// A JSON value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Json<'a> {
    /// Also what an absent field reads as.
    Null,
    Bool(bool),
    Int(i64),
    /// Fractions, and whole numbers beyond 64 bits.
    Float(f64),
    Text(&'a str),
    List(&'a [Self]),
    /// In the order of the text. Of a repeated key the last one counts.
    Map(&'a [(&'a str, Self)]),
}

/// Whole numbers up to here are exact as floats.
const EXACT_FLOAT_MAX: f64 = 9_007_199_254_740_992.0;
/// Room that is made at once for fields of objects that are not at their end: a Checkout Session has about a hundred.
const OPEN_FIELDS: usize = 128;
/// How much of an unreadable text is shown.
const SHOWN_CHARS_MAX: usize = 40;

impl<'a> Json<'a> {
    /// Reads a text.
    ///
    /// # Errors
    /// When it is no JSON, is nested too deeply, or holds a number beyond a float's bounds.
    pub(super) fn read(text: &'a str, arena: &'a Bump) -> serde_json::Result<Self> {
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let mut reader = JsonReader {
            arena,
            fields: Vec::with_capacity(OPEN_FIELDS),
            elements: Vec::new(),
        };
        let json = reader.deserialize(&mut deserializer)?;
        deserializer.end().map(|()| json)
    }

    /// The fields of an object that can be read, and whether others cannot: they are nested too deeply, or hold a
    /// number beyond a float's bounds. For bodies that are JSON but cannot be read whole; `None` for what is no JSON object at all.
    pub(super) fn shallow(body: &'a str, arena: &'a Bump) -> Option<(Self, bool)> {
        // A raw value is checked without descending, so that no depth can overflow the stack.
        let raw: BTreeMap<String, &'a RawValue> = serde_json::from_str(body).ok()?;
        let len = raw.len();
        let read = |(key, value): (String, &'a RawValue)| {
            Self::read(value.get(), arena)
                .ok()
                .map(|value| (&*arena.alloc_str(&key), value))
        };
        let fields: Vec<(&'a str, Self)> = raw.into_iter().filter_map(read).collect();
        let dropped = fields.len() < len;
        Some((Self::Map(arena.alloc_slice_copy(&fields)), dropped))
    }

    /// The field, or `Null`, also where this is no object.
    pub(super) fn get(&self, key: &str) -> &Self {
        self.named(key).unwrap_or(&Self::Null)
    }

    /// The field, be it null, where this is an object that names it.
    pub(super) fn named(&self, key: &str) -> Option<&Self> {
        let mut fields = self.fields().iter().rev();
        fields.find(|(k, _)| *k == key).map(|(_, value)| value)
    }

    /// Whether an object names the field at all, be it null.
    pub(super) fn has(&self, key: &str) -> bool {
        self.named(key).is_some()
    }

    /// This, or the other where this is null.
    pub(super) fn or<'s>(&'s self, other: &'s Self) -> &'s Self {
        if self.is_null() { other } else { self }
    }

    pub(super) fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    pub(super) fn is_map(&self) -> bool {
        matches!(self, Self::Map(_))
    }

    /// Fields of an object; none of anything else.
    pub(super) fn fields(&self) -> &'a [(&'a str, Self)] {
        if let Self::Map(fields) = self {
            fields
        } else {
            &[]
        }
    }

    /// Elements of a list; none of anything else.
    pub(super) fn list(&self) -> &'a [Self] {
        if let Self::List(list) = self {
            list
        } else {
            &[]
        }
    }

    /// Elements of one of Stripe's lists, `{"object": "list", "data": […]}`, or of a plain one.
    pub(super) fn data(&self) -> &[Self] {
        match self.get("data").list() {
            [] => self.list(),
            data => data,
        }
    }

    /// A text that says something, without blanks around it.
    pub(super) fn text(&self) -> Option<&str> {
        let Self::Text(text) = self else { return None };
        let text = text.trim();
        (!text.is_empty()).then_some(text)
    }

    /// The id of a reference, which may be the id or the object itself (expanded).
    pub(super) fn id(&self) -> Option<&str> {
        if self.is_map() {
            self.get("id").text()
        } else {
            self.text()
        }
    }

    /// A whole number, also written as a text or as a float without a fraction.
    pub(super) fn int(&self) -> Option<i64> {
        match self {
            Self::Int(n) => Some(*n),
            #[expect(
                clippy::cast_possible_truncation,
                reason = "whole, and within the range where floats are exact"
            )]
            Self::Float(f) if f.fract() == 0.0 && f.abs() <= EXACT_FLOAT_MAX => Some(*f as i64),
            Self::Text(text) => text.trim().parse().ok().or_else(|| {
                let (whole, fraction) = text.trim().split_once('.')?;
                fraction
                    .bytes()
                    .all(|b| b == b'0')
                    .then(|| whole.parse().ok())
                    .flatten()
            }),
            Self::Null | Self::Bool(_) | Self::Float(_) | Self::List(_) | Self::Map(_) => None,
        }
    }

    /// True or false, also written as a text.
    pub(super) fn bool(&self) -> Option<bool> {
        match self {
            Self::Bool(b) => Some(*b),
            Self::Text("true") => Some(true),
            Self::Text("false") => Some(false),
            Self::Null
            | Self::Int(_)
            | Self::Float(_)
            | Self::Text(_)
            | Self::List(_)
            | Self::Map(_) => None,
        }
    }

    /// An instant: seconds since 1970, or RFC 3339.
    pub(super) fn time(&self) -> Option<Timestamp> {
        self.int()
            .map(Timestamp::from_s)
            .or_else(|| Timestamp::parse(self.text()?).ok())
    }

    /// What stands here, for a person.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Null => "missing".to_owned(),
            Self::Bool(b) => b.to_string(),
            Self::Int(n) => format!("the number {n}"),
            Self::Float(f) => format!("the number {f}"),
            Self::Text(text) if text.chars().count() > SHOWN_CHARS_MAX => {
                format!(
                    "the text `{}…`",
                    text.chars().take(SHOWN_CHARS_MAX).collect::<String>()
                )
            }
            Self::Text(text) => format!("the text `{text}`"),
            Self::List(_) => "a list".to_owned(),
            Self::Map(_) => "an object".to_owned(),
        }
    }
}

/// Reads one value after the other into the arena. What an object or a list holds is gathered first, so that it lies in one
/// piece that is just as long.
struct JsonReader<'a> {
    arena: &'a Bump,
    /// Fields of the objects that are not at their end, the innermost last.
    fields: Vec<(&'a str, Json<'a>)>,
    /// Elements of the lists that are not.
    elements: Vec<Json<'a>>,
}

impl<'a> DeserializeSeed<'a> for &mut JsonReader<'a> {
    type Value = Json<'a>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Json<'a>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for &mut JsonReader<'a> {
    type Value = Json<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }
    fn visit_unit<E>(self) -> Result<Json<'a>, E> {
        Ok(Json::Null)
    }
    fn visit_bool<E>(self, b: bool) -> Result<Json<'a>, E> {
        Ok(Json::Bool(b))
    }
    fn visit_i64<E>(self, n: i64) -> Result<Json<'a>, E> {
        Ok(Json::Int(n))
    }
    #[expect(
        clippy::cast_precision_loss,
        reason = "beyond 63 bits nothing here is a number that we would use"
    )]
    fn visit_u64<E>(self, n: u64) -> Result<Json<'a>, E> {
        Ok(i64::try_from(n).map_or(Json::Float(n as f64), Json::Int))
    }
    fn visit_f64<E>(self, f: f64) -> Result<Json<'a>, E> {
        Ok(Json::Float(f))
    }
    fn visit_borrowed_str<E>(self, text: &'a str) -> Result<Json<'a>, E> {
        Ok(Json::Text(text))
    }
    fn visit_str<E>(self, text: &str) -> Result<Json<'a>, E> {
        Ok(Json::Text(self.arena.alloc_str(text)))
    }
    fn visit_seq<A: SeqAccess<'a>>(self, mut seq: A) -> Result<Json<'a>, A::Error> {
        let first = self.elements.len();
        while let Some(element) = seq.next_element_seed(&mut *self)? {
            self.elements.push(element);
        }
        let elements = self.arena.alloc_slice_copy(&self.elements[first..]);
        self.elements.truncate(first);
        Ok(Json::List(elements))
    }
    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Json<'a>, A::Error> {
        let first = self.fields.len();
        while let Some(key) = map.next_key_seed(JsonKey(self.arena))? {
            let value = map.next_value_seed(&mut *self)?;
            self.fields.push((key, value));
        }
        let fields = self.arena.alloc_slice_copy(&self.fields[first..]);
        self.fields.truncate(first);
        Ok(Json::Map(fields))
    }
}

/// A key, borrowed where it holds no escapes.
struct JsonKey<'a>(&'a Bump);

impl<'a> DeserializeSeed<'a> for JsonKey<'a> {
    type Value = &'a str;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<&'a str, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'a> Visitor<'a> for JsonKey<'a> {
    type Value = &'a str;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }
    fn visit_borrowed_str<E>(self, text: &'a str) -> Result<&'a str, E> {
        Ok(text)
    }
    fn visit_str<E>(self, text: &str) -> Result<&'a str, E> {
        Ok(self.0.alloc_str(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_where_they_are_exact() {
        for (text, int) in [
            ("5", Some(5)),
            ("\"5\"", Some(5)),
            ("\" 5 \"", Some(5)),
            ("5.0", Some(5)),
            ("\"5.00\"", Some(5)),
            ("-7", Some(-7)),
            ("1e3", Some(1000)),
            ("5.5", None),
            ("\"5.5\"", None),
            ("\"5x\"", None),
            ("\"\"", None),
            ("1e300", None),
            ("18446744073709551615", None),
            ("9223372036854775807", Some(i64::MAX)),
            ("99999999999999999999999", None),
            ("true", None),
            ("[5]", None),
        ] {
            let arena = Bump::new();
            let json = Json::read(text, &arena).unwrap();
            assert_eq!(json.int(), int, "{text}");
        }
    }

    #[test]
    fn an_absent_field_reads_as_null_however_deep() {
        let arena = Bump::new();
        let json = Json::read(r#"{"a": {"b": "x"}, "n": null, "a\u0062": 1}"#, &arena).unwrap();
        assert_eq!(json.get("a").get("b").text(), Some("x"));
        assert!(json.get("a").get("b").get("c").get("d").is_null());
        assert!(json.has("n") && !json.has("m"));
        assert_eq!(json.get("ab").int(), Some(1));
    }

    #[test]
    fn of_a_body_that_is_nested_too_deeply_the_rest_is_read() {
        let deep = |n: usize| {
            format!(
                r#"{{"id": "evt_1", "data": {}{}}}"#,
                "[".repeat(n),
                "]".repeat(n)
            )
        };
        let arena = Bump::new();
        for depth in [128, 500_000] {
            let body = deep(depth);
            assert!(Json::read(&body, &arena).is_err());
            let (json, dropped) = Json::shallow(&body, &arena).unwrap();
            assert_eq!(
                (json.get("id").text(), json.has("data"), dropped),
                (Some("evt_1"), false, true)
            );
        }
        assert!(Json::read(&deep(126), &arena).is_ok());
        // One level too deep for the whole is not too deep for a field by itself.
        let body = deep(127);
        let (json, dropped) = Json::shallow(&body, &arena).unwrap();
        assert_eq!((json.has("data"), dropped), (true, false));
        for bad in ["[1]", "{", r#"{"id": "evt_1", "data": [[}"#, ""] {
            assert!(Json::shallow(bad, &arena).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_reference_is_an_id_or_the_object() {
        for (text, id) in [
            (r#""sub_1""#, Some("sub_1")),
            (r#"{"id": "sub_1"}"#, Some("sub_1")),
            (r#""""#, None),
            ("{}", None),
            ("7", None),
            ("null", None),
        ] {
            let arena = Bump::new();
            let json = Json::read(text, &arena).unwrap();
            assert_eq!(json.id(), id, "{text}");
        }
    }
}
