//! `keyward preview`: every page and every mail, each looked at by the judge of accessibility and on a phone.
//!
//! `KEYWARD_PICTURES=FOLDER` writes a picture of each.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::support::app::binary;
use crate::support::browser::{Browser, Tab, Visitor, axe};

const CONFIG: &str = r##"
[[source]]
name = "stripe"
signing_secrets = ["whsec_1"]

[vendor]
name = "Pixel Forge"
reply_to = "Pixel Forge Help <help@pixelforge.example>"
support_url = "https://pixelforge.example/help"
logo = "./logo.svg"
color = "#c2410c"
downloads = { Windows = "https://pixelforge.example/setup.exe", macOS = "https://pixelforge.example/app.dmg", Linux = "https://pixelforge.example/app.deb" }

[[plan]]
name = "pro"
title = "Pixel Forge Pro"
prices = ["*"]
"##;

const LOGO: &str = r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 200 40"><rect width="40" height="40" rx="9" fill="#c2410c"/><path d="M11 29V11h9a6 6 0 0 1 0 12h-9" fill="none" stroke="#fff" stroke-width="4"/><text x="52" y="27" font-family="sans-serif" font-size="20" font-weight="700" fill="#c2410c">Pixel Forge</text></svg>"##;

/// A running preview.
struct Preview {
    child: Child,
    url: String,
    dir: tempfile::TempDir,
}

impl Preview {
    /// Starts it over a config, or over none.
    fn start(config: Option<&str>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        if let Some(config) = config {
            fs::write(dir.path().join("keyward.toml"), config).unwrap();
            fs::write(dir.path().join("logo.svg"), LOGO).unwrap();
        }
        let mut child = Command::new(binary())
            .arg("preview")
            .current_dir(dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut url = String::new();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        out.read_line(&mut url).unwrap();
        Self {
            child,
            url: url.trim().to_owned(),
            dir,
        }
    }

    /// Every address of the index.
    async fn links(&self, tab: &Tab<'_>) -> Vec<String> {
        tab.go(&self.url).await;
        let links = tab.value("[...document.links].map((a) => a.href)").await;
        let Value::Array(links) = links else {
            panic!("{links}")
        };
        let links = links.iter().map(|l| l.as_str().unwrap().to_owned());
        links.filter(|l| l.starts_with(&self.url)).collect()
    }
}

impl Drop for Preview {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = self.dir.path();
    }
}

/// Where a picture of an address goes, if pictures are wanted.
fn picture(url: &str, look: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("KEYWARD_PICTURES")?;
    let name = url.splitn(4, '/').nth(3)?.replace('/', "_");
    Some(PathBuf::from(folder).join(format!("{name}.{look}.png")))
}

/// Looks at every address; what is wrong with each.
async fn look_at(browser: &Browser, preview: &Preview, visitor: Visitor, axe: Option<&str>) {
    let tab = browser.visit(visitor).await;
    let mut wrong = Vec::new();
    let links = preview.links(&tab).await;
    assert!(links.len() > 200, "{links:?}");
    let mut judged = 0;
    for url in links
        .iter()
        .filter(|l| !l.ends_with(".txt") && !l.ends_with("/txt"))
    {
        tab.go(url).await;
        if tab.scrolls_sideways().await {
            wrong.push(format!("{url} scrolls sideways"));
        }
        // Words change neither colours nor roles: one language is judged.
        if let Some(axe) = axe.filter(|_| url.contains("/en/")) {
            let found = tab.barriers(axe).await;
            wrong.extend(found.into_iter().map(|f| format!("{url}: {f}")));
            judged += 1;
        }
        if let Some(file) = picture(url, if visitor.dark { "dark" } else { "light" }) {
            tab.picture(&file).await;
        }
    }
    assert!(wrong.is_empty(), "{visitor:?}:\n{}", wrong.join("\n"));
    assert!(axe.is_none() || judged > 30, "{judged}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_and_mail_can_be_read_by_all_on_a_small_phone() {
    let (Some(browser), axe) = (Browser::start(), axe()) else {
        return;
    };
    let preview = Preview::start(Some(CONFIG));
    for dark in [false, true] {
        let visitor = Visitor {
            dark,
            ..Visitor::with_a_phone()
        };
        look_at(&browser, &preview, visitor, axe.as_deref()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_index_leads_to_everything_and_nothing_comes_from_elsewhere() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let preview = Preview::start(None);
    let tab = browser.visit(Visitor::at_a_desk()).await;
    let links = preview.links(&tab).await;
    for needed in [
        "/de/page/success-live",
        "/fr/page/buy-no-plan",
        "/es/mail/license_issued/html",
        "/en/mail/ended/txt",
    ] {
        assert!(links.iter().any(|l| l.ends_with(needed)), "{needed}");
    }
    if let Some(axe) = axe() {
        assert_eq!(tab.barriers(&axe).await, Vec::<String>::new());
    }
    tab.go(&format!("{}/en/page/success-live", preview.url))
        .await;
    let loaded = "performance.getEntriesByType('resource').map((r) => new URL(r.name).origin)";
    let loaded = tab.value(loaded).await;
    let loaded = loaded.as_array().unwrap();
    assert!(loaded.len() >= 3, "{loaded:?}");
    assert!(
        loaded.iter().all(|origin| *origin == preview.url.as_str()),
        "{loaded:?}"
    );
    let inline = "document.querySelectorAll('[style], style, script:not([src]), [onclick]').length";
    assert_eq!(tab.value(inline).await, 0);
    assert!(tab.text().await.contains("KEYW-"));
}
