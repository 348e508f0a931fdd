//! The environment that a config is read in, and `${NAME}` inside its texts.

type Lookup<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// Where `${NAME}` gets its value from.
pub struct Env<'a> {
    lookup: Box<Lookup<'a>>,
    lenient: bool,
}

impl<'a> Env<'a> {
    /// An environment that a function answers for.
    pub fn new(lookup: impl Fn(&str) -> Option<String> + 'a) -> Self {
        Self {
            lookup: Box::new(lookup),
            lenient: false,
        }
    }

    /// The process's own environment. A value that is not Unicode counts as not set.
    #[must_use]
    pub fn process() -> Self {
        Self::new(|name| std::env::var(name).ok())
    }

    /// For replay, which sends nothing: variables and secrets need not be set, and a source need not be named.
    #[must_use]
    pub fn lenient(self) -> Self {
        Self {
            lenient: true,
            ..self
        }
    }

    /// Whether what is missing is no mistake.
    #[must_use]
    pub const fn is_lenient(&self) -> bool {
        self.lenient
    }

    /// Fills in the variables of a text.
    pub(super) fn fill(&self, text: &str) -> Filled {
        let (mut filled, mut rest) = (Filled::default(), text);
        while let Some(at) = rest.find("${") {
            let (before, after) = (&rest[..at], &rest[at + 2..]);
            if let Some(literal) = before.strip_suffix('$') {
                filled.text.push_str(literal);
                filled.text.push_str("${");
                rest = after;
                continue;
            }
            filled.text.push_str(before);
            let Some((name, tail)) = after.split_once('}').filter(|(name, _)| is_name(name)) else {
                filled.broken = true;
                return filled;
            };
            match (self.lookup)(name) {
                Some(value) => filled.text.push_str(&value),
                None => filled.missing.push(name.to_owned()),
            }
            rest = tail;
        }
        filled.text.push_str(rest);
        filled
    }
}

impl std::fmt::Debug for Env<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Env")
            .field("lenient", &self.lenient)
            .finish_non_exhaustive()
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// A text with its variables filled in.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Filled {
    /// The text; missing variables left nothing.
    pub(super) text: String,
    /// The variables that are not set.
    pub(super) missing: Vec<String>,
    /// A `${` without a name and a `}`.
    pub(super) broken: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_fill_texts() {
        let env = Env::new(|name| (name == "A").then(|| "1${B}".to_owned()));
        for (text, filled) in [
            ("", ""),
            ("x", "x"),
            ("${A}", "1${B}"),
            ("<${A}|${A}>", "<1${B}|1${B}>"),
            ("$${A}$", "${A}$"),
            ("$A", "$A"),
        ] {
            assert_eq!(
                env.fill(text),
                Filled {
                    text: filled.to_owned(),
                    ..Filled::default()
                },
                "{text}"
            );
        }
        assert_eq!(env.fill("${X}${Y}").missing, ["X", "Y"]);
        for broken in ["${", "${}", "${A", "${A-B}", "${1A}"] {
            assert!(env.fill(broken).broken, "{broken}");
        }
    }
}
