//! What names a machine: where its object is known, and the object. It is taken apart here and nowhere else.

use std::fmt;
use std::str::FromStr;

use minicbor::{Decode, Encode};

use super::{AccountId, ObjectId, SourceName};

/// Where a provider's ids are unique: a source, or one connected account of it. Written as `stripe` or `stripe/acct_1`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Scope {
    source: SourceName,
    account: Option<AccountId>,
}

impl Scope {
    /// A source, or a connected account of it.
    #[must_use]
    pub fn new(source: SourceName, account: Option<AccountId>) -> Self {
        Self { source, account }
    }

    /// Reads it as it is written: what stands before the first slash is the source.
    #[must_use]
    pub fn of(text: &str) -> Self {
        match text.split_once('/') {
            Some((source, account)) => {
                Self::new(SourceName::from(source), Some(AccountId::from(account)))
            }
            None => Self::new(SourceName::from(text), None),
        }
    }

    /// The source.
    #[must_use]
    pub const fn source(&self) -> &SourceName {
        &self.source
    }

    /// The connected account, if it is one's.
    #[must_use]
    pub const fn account(&self) -> Option<&AccountId> {
        self.account.as_ref()
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.account {
            Some(account) => write!(f, "{}/{account}", self.source),
            None => f.write_str(self.source.as_str()),
        }
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl From<String> for Scope {
    fn from(text: String) -> Self {
        Self::of(&text)
    }
}

impl From<Scope> for String {
    fn from(scope: Scope) -> Self {
        scope.to_string()
    }
}

/// What kind of object a machine is the life of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectKind {
    /// A Checkout session.
    Session,
    /// A subscription.
    Subscription,
    /// A one-off invoice.
    Invoice,
    /// Nothing at Stripe: a person gave a license to somebody who did not buy.
    Issued,
    /// Something else; its id does not say what.
    Other,
}

impl ObjectId {
    /// What the id says that it is: the one place that looks at a prefix, for what is known of a machine by its id alone.
    #[must_use]
    pub fn kind(&self) -> ObjectKind {
        match self.as_str().split_once('_') {
            Some(("cs", _)) => ObjectKind::Session,
            Some(("sub", _)) => ObjectKind::Subscription,
            Some(("in", _)) => ObjectKind::Invoice,
            Some(("issued", _)) => ObjectKind::Issued,
            Some(_) | None => ObjectKind::Other,
        }
    }
}

/// A machine: where its object is known, and the object. Written as `stripe/sub_123` or `stripe/acct_1/cs_123`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MachineId {
    scope: Scope,
    object: ObjectId,
}

/// A text that names no machine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no purchase's id: it looks like `stripe/sub_123`")]
pub struct NoMachineId(String);

impl MachineId {
    /// What the object's id begins with where a person gave a license to somebody who did not buy.
    pub const ISSUED: &'static str = "issued_";

    /// The machine of an object.
    #[must_use]
    pub fn new(scope: Scope, object: ObjectId) -> Self {
        Self { scope, object }
    }

    /// Where its object is known.
    #[must_use]
    pub const fn scope(&self) -> &Scope {
        &self.scope
    }

    /// Its source.
    #[must_use]
    pub const fn source(&self) -> &SourceName {
        &self.scope.source
    }

    /// The object at the provider.
    #[must_use]
    pub const fn object(&self) -> &ObjectId {
        &self.object
    }
}

impl fmt::Display for MachineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.scope, f)?;
        f.write_str("/")?;
        f.write_str(self.object.as_str())
    }
}

impl fmt::Debug for MachineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl FromStr for MachineId {
    type Err = NoMachineId;

    fn from_str(text: &str) -> Result<Self, NoMachineId> {
        match text.rsplit_once('/') {
            Some((scope, object)) => Ok(Self::new(Scope::of(scope), ObjectId::from(object))),
            None => Err(NoMachineId(text.to_owned())),
        }
    }
}

impl TryFrom<String> for MachineId {
    type Error = NoMachineId;

    fn try_from(text: String) -> Result<Self, NoMachineId> {
        text.parse()
    }
}

impl From<MachineId> for String {
    fn from(id: MachineId) -> Self {
        Self::from(&id)
    }
}

impl From<&MachineId> for String {
    /// As `to_string` would, with room made once: every event names its machine several times.
    fn from(id: &MachineId) -> Self {
        let (source, object) = (id.source().as_str(), id.object.as_str());
        match &id.scope.account {
            Some(account) => [source, "/", account.as_str(), "/", object].concat(),
            None => [source, "/", object].concat(),
        }
    }
}

impl<C> Encode<C> for Scope {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.str(&self.to_string())?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Scope {
    fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        Ok(Self::of(d.str()?))
    }
}

impl<C> Encode<C> for MachineId {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.str(&String::from(self))?.ok()
    }
}

impl<'b, C> Decode<'b, C> for MachineId {
    fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        d.str()?
            .parse()
            .map_err(|error: NoMachineId| minicbor::decode::Error::message(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_read_as_it_is_written() {
        for (text, source, account, kind) in [
            ("stripe/sub_1", "stripe", None, ObjectKind::Subscription),
            (
                "shop/acct_1/cs_test_1",
                "shop",
                Some("acct_1"),
                ObjectKind::Session,
            ),
            ("shop/in_1", "shop", None, ObjectKind::Invoice),
            ("shop/1234", "shop", None, ObjectKind::Other),
        ] {
            let id: MachineId = text.parse().unwrap();
            assert_eq!(
                (
                    id.source().as_str(),
                    id.scope().account().map(AccountId::as_str)
                ),
                (source, account)
            );
            assert_eq!(
                (id.object().kind(), id.to_string()),
                (kind, text.to_owned())
            );
            assert_eq!(
                minicbor::decode::<MachineId>(&minicbor::to_vec(&id).unwrap()).unwrap(),
                id
            );
            assert_eq!(serde_json::to_string(&id).unwrap(), format!("\"{text}\""));
        }
        assert_eq!(
            "sub_1".parse::<MachineId>(),
            Err(NoMachineId("sub_1".to_owned()))
        );
    }
}
