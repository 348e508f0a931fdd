//! Reads a recorded history in each of the forms that people have: JSONL, a JSON array, a list from the events API.

mod line;

use std::io::BufRead;
use std::iter::Peekable;
use std::sync::Arc;

use serde_json::value::RawValue;

use crate::domain::time::Timestamp;
use crate::engine::input::Input;

/// One line of a history.
#[derive(Debug)]
pub struct Line {
    /// When it reached us.
    pub received: Timestamp,
    /// The input of the engine.
    pub input: Input,
}

/// A history that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{place}: {why}")]
pub struct BadHistory {
    /// The file and line.
    pub place: String,
    /// What is wrong.
    pub why: String,
}

/// A recorded history, read as it is played: of JSONL one line at a time is in memory, of an array or a list its text.
pub struct History<'a> {
    places: Arc<Places>,
    form: Form<'a>,
    /// Lines or entries that were read.
    count: usize,
}

/// What one line or entry of a history says, not read yet.
#[derive(Debug)]
pub(super) struct Text {
    places: Arc<Places>,
    count: usize,
    text: String,
}

/// How a history's places are named.
#[derive(Debug)]
struct Places {
    name: String,
    by_line: bool,
}

impl Places {
    fn bad(&self, count: usize, why: String) -> BadHistory {
        let name = &self.name;
        let place = if self.by_line {
            format!("{name}:{count}")
        } else {
            format!("{name}, entry {count}")
        };
        BadHistory { place, why }
    }
}

impl Text {
    /// Reads it.
    pub(super) fn line(&self) -> Result<Line, BadHistory> {
        line::read(&self.text).map_err(|why| self.places.bad(self.count, why))
    }
}

enum Form<'a> {
    /// A line for each thing that was received. The first ones were read already, to tell the form.
    Lines {
        first: Option<String>,
        rest: Box<dyn BufRead + 'a>,
    },
    /// An array's or a list's entries, in the order of delivery.
    Entries(std::vec::IntoIter<Box<RawValue>>),
}

impl<'a> History<'a> {
    /// Begins to read. The name stands in errors.
    ///
    /// # Errors
    /// What cannot be read of an array or a list as a whole. Everything else is told when its turn comes.
    pub fn new(name: &str, mut text: impl BufRead + 'a) -> Result<Self, BadHistory> {
        let bad = |why: String| BadHistory {
            place: name.to_owned(),
            why,
        };
        let places = |by_line| {
            let name = name.to_owned();
            Arc::new(Places { name, by_line })
        };
        let (mut count, mut first) = (0, String::new());
        while first.trim().is_empty() {
            first.clear();
            if text.read_line(&mut first).map_err(|e| bad(e.to_string()))? == 0 {
                break;
            }
            count += 1;
        }
        // A line is an object of its own; what is none is the beginning of one that was laid out over several lines.
        if first.trim().is_empty() || is_line(&first) {
            let form = Form::Lines {
                first: Some(first),
                rest: Box::new(text),
            };
            return Ok(Self {
                places: places(true),
                form,
                count: count.max(1) - 1,
            });
        }
        text.read_to_string(&mut first)
            .map_err(|e| bad(e.to_string()))?;
        let entries = entries(&first).map_err(bad)?;
        Ok(Self {
            places: places(false),
            form: Form::Entries(entries.into_iter()),
            count: 0,
        })
    }

    /// The next line or entry.
    pub(super) fn text(&mut self) -> Option<Result<Text, BadHistory>> {
        let text = match &mut self.form {
            Form::Entries(entries) => {
                self.count += 1;
                entries.next()?.get().to_owned()
            }
            Form::Lines { first, rest } => loop {
                self.count += 1;
                let mut text = first.take().unwrap_or_default();
                if text.is_empty() {
                    match rest.read_line(&mut text) {
                        Ok(0) => return None,
                        Ok(_) => {}
                        Err(e) => return Some(Err(self.places.bad(self.count, e.to_string()))),
                    }
                }
                if !text.trim().is_empty() {
                    break text;
                }
            },
        };
        Some(Ok(Text {
            places: Arc::clone(&self.places),
            count: self.count,
            text,
        }))
    }
}

impl Iterator for History<'_> {
    type Item = Result<Line, BadHistory>;

    fn next(&mut self) -> Option<Self::Item> {
        let text = self.text()?;
        Some(text.and_then(|text| text.line()))
    }
}

/// Several histories as one: each is in the order of delivery, and so is the whole.
pub struct Merged<'a>(Vec<Peekable<History<'a>>>);

impl<'a> Merged<'a> {
    /// Of histories; of two lines of one instant the earlier history's comes first.
    #[must_use]
    pub fn new(histories: Vec<History<'a>>) -> Self {
        Self(histories.into_iter().map(Iterator::peekable).collect())
    }
}

impl Iterator for Merged<'_> {
    type Item = Result<Line, BadHistory>;

    fn next(&mut self) -> Option<Self::Item> {
        let heads = self.0.iter_mut().filter_map(|history| {
            // What cannot be read is told at once.
            let at = history
                .peek()?
                .as_ref()
                .map_or(Timestamp::from_ms(i64::MIN), |line| line.received);
            Some((at, history))
        });
        heads.min_by_key(|(at, _)| *at)?.1.next()
    }
}

/// Reads a whole history.
///
/// # Errors
/// The first line that cannot be read, with its place.
pub fn read(name: &str, text: &str) -> Result<Vec<Line>, BadHistory> {
    History::new(name, text.as_bytes())?.collect()
}

#[derive(serde::Deserialize)]
struct List {
    object: Option<String>,
    data: Option<Vec<Box<RawValue>>>,
}

/// Whether the text is a whole object that is not a list.
fn is_line(text: &str) -> bool {
    #[derive(serde::Deserialize)]
    struct ObjectProbe {
        object: Option<String>,
    }
    text.trim_start().starts_with('{')
        && serde_json::from_str::<ObjectProbe>(text)
            .is_ok_and(|head| head.object.as_deref() != Some("list"))
}

/// The entries of an array, or of a list as Stripe gives it: the events API and the CLI give the newest first.
fn entries(text: &str) -> Result<Vec<Box<RawValue>>, String> {
    if text.trim_start().starts_with('[') {
        return serde_json::from_str(text).map_err(|e| e.to_string());
    }
    let list: List = serde_json::from_str(text).map_err(|e| e.to_string())?;
    if list.object.as_deref() != Some("list") {
        return Err("neither a line for each event, nor an array, nor a list".to_owned());
    }
    let mut entries = list.data.ok_or("the list has no `data`")?;
    entries.reverse();
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(n: i64) -> String {
        format!(
            r#"{{"id":"evt_{n}","object":"event","type":"x.y","created":{n},"data":{{"object":{{"id":"o"}}}}}}"#
        )
    }

    fn instants(text: &str) -> Vec<i64> {
        read("h", text)
            .unwrap()
            .iter()
            .map(|line| line.received.s())
            .collect()
    }

    #[test]
    fn each_form_is_read_in_the_order_of_delivery() {
        let (one, two) = (event(1), event(2));
        assert_eq!(instants(&format!("\n  \n{one}\n\n{two}\n")), [1, 2]);
        assert_eq!(
            instants(&format!("{two}\n{one}")),
            [2, 1],
            "late ones come late"
        );
        assert_eq!(instants(&format!("[{one},\n{two}]")), [1, 2]);
        assert_eq!(
            instants(&format!(r#"{{"object":"list","data":[{two},{one}]}}"#)),
            [1, 2],
            "newest first"
        );
        assert_eq!(
            instants(&format!(
                "{{\n\"data\":[\n{two},\n{one}],\n\"object\":\"list\"\n}}\n"
            )),
            [1, 2]
        );
        assert_eq!((instants(""), instants("\n \n")), (vec![], vec![]));
    }

    #[test]
    fn what_cannot_be_read_is_told_with_its_place() {
        let bad = |text: &str| read("h", text).err().unwrap().to_string();
        assert!(bad(&format!("\n{}\n{{\"id\"\n", event(1))).starts_with("h:3: "));
        assert!(bad(&format!("[{}, 5]", event(1))).starts_with("h, entry 2: "));
        assert!(bad("{\"id\":\n{}\n").contains("at line "));
        assert!(bad("{\n}").contains("nor a list"));
        assert!(bad("{\"object\":\"list\"}").contains("no `data`"));
    }

    #[test]
    fn several_histories_are_one_by_the_instants_of_their_lines() {
        let (odd, even) = (
            format!("{}\n{}", event(1), event(3)),
            format!("{}\n{}\n{}", event(2), event(3), event(4)),
        );
        let merged = || {
            let history = |text| {
                History::new("h", std::io::BufReader::new(std::io::Cursor::new(text))).unwrap()
            };
            Merged::new(vec![history(odd.clone()), history(even.clone())])
        };
        let read: Result<Vec<Line>, _> = merged().collect();
        assert_eq!(
            read.unwrap()
                .iter()
                .map(|l| l.received.s())
                .collect::<Vec<_>>(),
            [1, 2, 3, 3, 4]
        );
    }
}
