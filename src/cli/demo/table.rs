//! What a newcomer reads at the end.

use super::stories::STORIES;
use crate::admin::Failure;
use crate::cli::report;
use crate::domain::time::Timestamp;
use crate::engine::read::view::{self, Keys, LicenseView, MachineView};
use crate::server::Server;

/// What became of each purchase, in the order of the stories.
pub(super) fn table(server: &Server, now: Timestamp) -> Result<(), Failure> {
    let rules = server.handle.rules();
    let mut pages = Vec::new();
    view::machines(server.handle.reader(), |machine| {
        let folded = machine.folded(&rules.revisions, now);
        let page = MachineView::of(&machine, &folded, None, now, Keys::Shown);
        pages.push((
            STORIES
                .iter()
                .position(|story| story.tells_of(machine.object().as_str())),
            page,
        ));
        true
    })?;
    pages.sort_by_key(|(story, _)| *story);
    let rows = pages.iter().flat_map(|(story, page)| {
        let story = story.and_then(|at| STORIES.get(at));
        rows(story.map_or(page.id.as_str(), |story| story.title), page)
    });
    report::data(&report::table(
        &["story", "state", "license", "key", "expires", "mails"],
        rows.collect(),
    ));
    Ok(())
}

/// A purchase's lines, one for each license.
fn rows(title: &str, page: &MachineView) -> Vec<Vec<String>> {
    let sent = page.notices.iter().filter(|n| n.status == "sent");
    let mut mails: Vec<&str> = sent.map(|n| n.kind).collect();
    mails.dedup();
    let mut first = [title.to_owned(), page.state.unwrap_or("-").to_owned()];
    let mut lines: Vec<Vec<String>> = page.licenses.iter().map(license).collect();
    if lines.is_empty() {
        lines.push(vec!["none yet".to_owned(), String::new(), String::new()]);
    }
    let mut rows = Vec::new();
    for (n, line) in lines.into_iter().enumerate() {
        let mails = if n == 0 {
            mails.join(", ")
        } else {
            String::new()
        };
        rows.push(first.iter().cloned().chain(line).chain([mails]).collect());
        first.iter_mut().for_each(String::clear);
    }
    rows
}

fn license(license: &LicenseView) -> Vec<String> {
    vec![
        format!("{}, {}", license.status, license.devices),
        license.key.clone().unwrap_or_default(),
        license
            .expires_at
            .map_or_else(|| "never".to_owned(), |t| t.to_string()),
    ]
}
