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
    /// The first bytes, as many as `len` says, are the text.
    Short {
        len: u8,
        bytes: [u8; SHORT_MAX],
    },
    Long(Box<str>),
}

impl Text {
    pub(super) fn as_str(&self) -> &str {
        match self {
            // They were copied whole from a text.
            Self::Short { .. } => std::str::from_utf8(self.as_bytes()).unwrap_or_default(),
            Self::Long(text) => text,
        }
    }

    fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Short { len, bytes } => bytes.get(..usize::from(*len)).unwrap_or_default(),
            Self::Long(text) => text.as_bytes(),
        }
    }

    fn short(text: &str) -> Option<Self> {
        let len = u8::try_from(text.len()).ok()?;
        let mut bytes = [0; SHORT_MAX];
        bytes
            .get_mut(..text.len())?
            .copy_from_slice(text.as_bytes());
        Some(Self::Short { len, bytes })
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self::short(text).unwrap_or_else(|| Self::Long(text.into()))
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
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
        self.as_bytes().cmp(other.as_bytes())
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
            assert!(matches!(text, Text::Short { .. }) == (one.len() <= SHORT_MAX));
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
