//! The text of an id. Stripe's are mostly short, and a machine names hundreds of them: one that fits lies in place, so that
//! to read, copy and drop it asks for no memory.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

use minicbor::decode::Error as Undecodable;
use minicbor::encode::{Error as Unencodable, Write};
use minicbor::{Decode, Decoder, Encode, Encoder};

/// Bytes that fit in place: `evt_` and `sub_` with their 24 characters do, a Checkout session's 66 do not.
const SHORT_MAX: usize = 30;

/// A text that does not change.
#[derive(Clone)]
pub(super) enum Text {
    Short(heapless::String<SHORT_MAX, u8>),
    Long(Box<str>),
}

impl Text {
    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Short(text) => text,
            Self::Long(text) => text,
        }
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        heapless::String::try_from(text).map_or_else(|_| Self::Long(text.into()), Self::Short)
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Text {}

impl PartialOrd for Text {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Text {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl Hash for Text {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl<C> Encode<C> for Text {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), Unencodable<W::Error>> {
        e.str(self.as_str())?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Text {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, Undecodable> {
        d.str().map(Self::from)
    }
}

impl serde::Serialize for Text {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> serde::Deserialize<'de> for Text {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<'de, str>::deserialize(deserializer).map(|text| Self::from(&*text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_itself_whether_it_fits_or_not() {
        assert_eq!(size_of::<Text>(), 32);
        let long = "ä".repeat(15) + "x";
        let texts: [&str; 6] = [
            "",
            "a",
            "evt_1abcdefghijklmnopqrstuvw",
            &"b".repeat(30),
            &"b".repeat(31),
            &long,
        ];
        for one in texts {
            let text = Text::from(one);
            assert_eq!(text.as_str(), one);
            assert!(matches!(text, Text::Short(_)) == (one.len() <= SHORT_MAX));
            let bytes = minicbor::to_vec(&text).unwrap();
            assert_eq!(bytes, minicbor::to_vec(one).unwrap());
            assert!(minicbor::decode::<Text>(&bytes).unwrap() == text);
            let json = serde_json::to_string(&text).unwrap();
            assert_eq!(json, serde_json::to_string(one).unwrap());
            assert!(serde_json::from_str::<Text>(&json).unwrap() == text);
            for other in texts {
                assert_eq!(text.cmp(&Text::from(other)), one.cmp(other));
            }
        }
    }
}
