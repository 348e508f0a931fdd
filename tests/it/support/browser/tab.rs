//! A window of the browser: where it is, what it shows, and what a visitor does in it.

use std::path::Path;

use base64::Engine as _;
use serde_json::{Value, json};

use super::{Browser, Visitor};
use crate::support::wait::{PATIENCE, until};

/// A window.
pub(crate) struct Tab<'b> {
    browser: &'b Browser,
    session: String,
    visitor: Visitor,
}

impl<'b> Tab<'b> {
    pub(super) async fn open(browser: &'b Browser, session: &str, visitor: Visitor) -> Self {
        let tab = Self {
            browser,
            session: session.to_owned(),
            visitor,
        };
        tab.call("Page.enable", json!({})).await;
        tab.call("Network.enable", json!({})).await;
        let (width, height) = visitor.size;
        let metrics = json!({
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500,
        });
        tab.call("Emulation.setDeviceMetricsOverride", metrics)
            .await;
        let scheme = if visitor.dark { "dark" } else { "light" };
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        tab.call("Emulation.setEmulatedMedia", media).await;
        if !visitor.script {
            tab.call(
                "Emulation.setScriptExecutionDisabled",
                json!({ "value": true }),
            )
            .await;
        }
        let headers = json!({ "headers": { "Accept-Language": visitor.language } });
        tab.call("Network.setExtraHTTPHeaders", headers).await;
        if visitor.slow {
            // Chromium's own "Slow 3G".
            let slow = json!({
                "offline": false, "latency": 400, "downloadThroughput": 50_000, "uploadThroughput": 50_000,
            });
            tab.call("Network.emulateNetworkConditions", slow).await;
        }
        tab
    }

    async fn call(&self, method: &str, params: Value) -> Value {
        self.browser.call(Some(&self.session), method, params).await
    }

    /// Goes to an address and waits until the page is there.
    pub(crate) async fn go(&self, url: &str) {
        let gone = self.call("Page.navigate", json!({ "url": url })).await;
        assert!(gone.get("errorText").is_none(), "{url}: {gone}");
        self.until("the page is loaded", "document.readyState === 'complete'")
            .await;
    }

    /// What an expression of JavaScript comes to; a promise is waited for. `None` while the page is being left.
    async fn look(&self, expression: &str) -> Option<Value> {
        let params = json!({
            "expression": expression, "returnByValue": true, "awaitPromise": true, "userGesture": true,
        });
        let answer = self
            .browser
            .try_call(Some(&self.session), "Runtime.evaluate", params)
            .await
            .ok()?;
        assert!(
            answer.get("exceptionDetails").is_none(),
            "{expression}: {answer:#}"
        );
        Some(answer["result"]["value"].clone())
    }

    /// What an expression of JavaScript comes to on the page that is there.
    pub(crate) async fn value(&self, expression: &str) -> Value {
        self.look(expression)
            .await
            .unwrap_or_else(|| panic!("the page was left at {expression}"))
    }

    /// Waits until an expression of JavaScript holds.
    pub(crate) async fn until(&self, what: &str, expression: &str) {
        let holds = async || (self.look(expression).await == Some(json!(true))).then_some(());
        until(what, PATIENCE, holds).await;
    }

    /// Waits until the page shows a text.
    pub(crate) async fn shows(&self, text: &str) {
        let expression = format!(
            "document.body?.innerText.includes({}) ?? false",
            json!(text)
        );
        self.until(&format!("the page shows `{text}`"), &expression)
            .await;
    }

    /// What a reader sees.
    pub(crate) async fn text(&self) -> String {
        let text = self.value("document.body.innerText").await;
        text.as_str().unwrap().to_owned()
    }

    /// Clicks the middle of the one thing that a CSS selector names, as a finger would.
    pub(crate) async fn click(&self, selector: &str) {
        let expression = format!(
            "(() => {{ const e = document.querySelector({}); e.scrollIntoView({{ block: 'center' }}); \
             const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; }})()",
            json!(selector)
        );
        let at = self.value(&expression).await;
        for (kind, buttons) in [("mousePressed", 1), ("mouseReleased", 0)] {
            let event = json!({
                "type": kind, "x": at[0], "y": at[1], "button": "left", "buttons": buttons, "clickCount": 1,
            });
            self.call("Input.dispatchMouseEvent", event).await;
        }
    }

    /// Types into the field that a CSS selector names.
    pub(crate) async fn type_into(&self, selector: &str, text: &str) {
        self.value(&format!(
            "document.querySelector({}).focus()",
            json!(selector)
        ))
        .await;
        self.call("Input.insertText", json!({ "text": text })).await;
    }

    /// Whether something reaches beyond the window's right edge.
    pub(crate) async fn scrolls_sideways(&self) -> bool {
        let wider = "document.documentElement.scrollWidth > document.documentElement.clientWidth";
        self.value(wider).await == json!(true)
    }

    /// What the script of `axe` finds serious, or worse.
    pub(crate) async fn barriers(&self, axe: &str) -> Vec<String> {
        assert!(self.visitor.script, "the judge is a script");
        self.value(&format!("{axe}; true")).await;
        let found = self
            .value(
                "axe.run(document, { resultTypes: ['violations'] }).then((r) => r.violations \
                 .filter((v) => ['serious', 'critical'].includes(v.impact)) \
                 .map((v) => `${v.id} (${v.impact}): ${v.nodes.map((n) => n.html).join(' ')}`))",
            )
            .await;
        serde_json::from_value(found).unwrap()
    }

    /// Writes a picture of the whole page.
    pub(crate) async fn picture(&self, file: &Path) {
        let whole = json!({ "format": "png", "captureBeyondViewport": true });
        let shot = self.call("Page.captureScreenshot", whole).await;
        let png = base64::engine::general_purpose::STANDARD
            .decode(shot["data"].as_str().unwrap())
            .unwrap();
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, png).unwrap();
    }
}
