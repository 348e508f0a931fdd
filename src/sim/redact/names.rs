//! A person's names, and whether a text holds one of them: by whole words, in whatever case and with whatever stands between.

/// The names by which a person is called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names(Vec<Vec<String>>);

impl Names {
    /// Adds one. What has no letter calls nobody.
    pub fn add(&mut self, name: &str) {
        let words = words(name);
        if name.chars().any(char::is_alphabetic) && !self.0.contains(&words) {
            self.0.push(words);
        }
    }

    /// Whether a text holds one of them.
    #[must_use]
    pub fn are_in(&self, text: &str) -> bool {
        if self.0.is_empty() {
            return false;
        }
        let said = words(text);
        let holds = |name: &Vec<String>| said.windows(name.len()).any(|part| part == name);
        self.0.iter().any(holds)
    }
}

/// The words of a text, each as all its spellings in upper and lower case are compared.
fn words(text: &str) -> Vec<String> {
    let (mut words, mut word) = (Vec::new(), String::new());
    for c in text.chars() {
        let alone = is_unspaced(c);
        if (alone || !c.is_alphanumeric()) && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if c.is_alphanumeric() {
            // First to upper case: some letters have two small forms.
            word.extend(c.to_uppercase().flat_map(char::to_lowercase));
        }
        if alone {
            words.push(std::mem::take(&mut word));
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Whether a letter is of a script that writes without blanks, or hangs particles onto names: each stands for itself.
const fn is_unspaced(c: char) -> bool {
    matches!(c,
        '\u{0E00}'..='\u{0EFF}' // Thai and Lao
        | '\u{1000}'..='\u{109F}' // Burmese
        | '\u{1780}'..='\u{17FF}' // Khmer
        | '\u{3040}'..='\u{30FF}' // Japanese syllables
        | '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}' // Chinese characters
        | '\u{20000}'..='\u{3FFFF}'
        | '\u{AC00}'..='\u{D7AF}') // Korean syllables
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_by_its_words() {
        for (name, text, found) in [
            ("Grace Gone", "for grace  GONE!", true),
            ("Grace Gone", "https://x.example/?name=Grace+Gone", true),
            ("Grace Gone", "Grace is gone", false),
            ("test", "a tested thing", false),
            ("complete", "Complete", true),
            ("O'Brien", "Mr O’BRIEN", true),
            ("Zoë Ängström", "ZOË ÄNGSTRÖM", true),
            ("Σοφος", "ΣΟΦΟΣ", true),
            ("Straße", "STRASSE", true),
            ("田中太郎", "田中太郎様のため", true),
            ("김철수", "김철수님", true),
            ("Li", "for Li", true),
            ("Li", "a list", false),
            ("42", "42", false),
            ("  ", "", false),
        ] {
            let mut names = Names::default();
            names.add(name);
            assert_eq!(names.are_in(text), found, "{name} in {text}");
        }
    }
}
