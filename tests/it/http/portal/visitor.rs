//! A browser without a screen: a cookie, the forms of the page that it is on, and where they were sent from.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU32, Ordering};

use reqwest::header::{COOKIE, LOCATION, ORIGIN, SET_COOKIE};
use reqwest::{Client, Response, redirect};

use super::Shop;
use crate::support::wait::{PATIENCE, until};

/// A visitor of the portal.
#[derive(Clone)]
pub(super) struct Visitor {
    http: Client,
    base: String,
    /// What the cookie header holds.
    pub(super) cookie: String,
    /// What the browser says of where a form comes from.
    pub(super) origin: Option<String>,
    pub(super) lang: &'static str,
    /// Where it asks from; `None`: each time from somewhere else.
    pub(super) from: Option<&'static str>,
}

/// A page as it came.
#[derive(Clone, Debug)]
pub(super) struct Page {
    pub(super) status: u16,
    pub(super) body: String,
    pub(super) to: Option<String>,
    pub(super) headers: BTreeMap<String, String>,
}

/// A form of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PageForm {
    pub(super) action: String,
    pub(super) fields: BTreeMap<String, String>,
}

impl Visitor {
    pub(super) fn of(shop: &Shop) -> Self {
        let http = Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .build();
        let base = shop.app.base().to_owned();
        Self {
            http: http.unwrap(),
            origin: Some(base.clone()),
            base,
            cookie: String::new(),
            lang: "en",
            from: None,
        }
    }

    pub(super) async fn get(&mut self, path: &str) -> Page {
        let url = format!("{}{path}", self.base);
        let request = self.http.get(url).header(COOKIE, &self.cookie);
        let request = request.header("x-forwarded-for", self.place());
        let request = request.header("accept-language", self.lang);
        self.page(request.send().await.unwrap()).await
    }

    pub(super) async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Page {
        let url = format!("{}{path}", self.base);
        let request = self.http.post(url).header(COOKIE, &self.cookie);
        let request = request.header("x-forwarded-for", self.place());
        let mut request = request.form(fields);
        if let Some(origin) = &self.origin {
            request = request.header(ORIGIN, origin);
        }
        self.page(request.send().await.unwrap()).await
    }

    pub(super) async fn send(&mut self, form: &PageForm) -> Page {
        let fields: Vec<(&str, &str)> = form
            .fields
            .iter()
            .map(|(k, v)| (k.as_str(), v.as_str()))
            .collect();
        self.post(&form.action, &fields).await
    }

    fn place(&self) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(0x0a00_0000);
        let next = || Ipv4Addr::from_bits(NEXT.fetch_add(1, Ordering::Relaxed)).to_string();
        self.from.map_or_else(next, str::to_owned)
    }

    async fn page(&mut self, response: Response) -> Page {
        let text = |v: &reqwest::header::HeaderValue| v.to_str().unwrap().to_owned();
        if let Some(set) = response.headers().get(SET_COOKIE) {
            self.cookie = text(set).split(';').next().unwrap().to_owned();
        }
        let headers = response.headers().iter();
        Page {
            status: response.status().as_u16(),
            to: response.headers().get(LOCATION).map(text),
            headers: headers.map(|(k, v)| (k.to_string(), text(v))).collect(),
            body: unescaped(&response.text().await.unwrap()),
        }
    }

    /// Asks for a mail; the page that answers.
    pub(super) async fn ask(&mut self, address: &str) -> Page {
        self.post("/portal", &[("address", address)]).await
    }

    /// Signs in by the code of a new mail.
    pub(super) async fn sign_in(&mut self, shop: &Shop, address: &str) {
        let before = shop.sign_in_mails(address).len();
        let page = self.ask(address).await;
        assert_eq!(page.status, 200, "{}", page.body);
        let form = page.forms()[0].fields["form"].clone();
        let mail = mail(shop, address, before).await;
        let (code, _) = secrets(&mail);
        let page = self
            .post("/portal/code", &[("form", &form), ("code", &code)])
            .await;
        assert_eq!((page.status, page.to.as_deref()), (303, Some("/portal")));
    }
}

/// The mail that signs an address in, after so many of before.
pub(crate) async fn mail(shop: &Shop, address: &str, before: usize) -> String {
    let new = async || shop.sign_in_mails(address).get(before).cloned();
    until("a mail to sign in", PATIENCE, new).await
}

/// The code and the link's path of a mail.
pub(crate) fn secrets(mail: &str) -> (String, String) {
    let is_code = |line: &&str| {
        let code = line.trim();
        code.len() == 9 && code.as_bytes()[4] == b'-' && line.starts_with("    ")
    };
    let code = mail
        .lines()
        .find(is_code)
        .expect("a code")
        .trim()
        .to_owned();
    let link = mail.split("/portal/link/").nth(1).unwrap();
    let link: String = link.chars().take_while(char::is_ascii_hexdigit).collect();
    (code, link)
}

impl Page {
    /// Its forms.
    pub(super) fn forms(&self) -> Vec<PageForm> {
        let form = |text: &str| {
            let text = text.split("</form>").next().unwrap();
            let input = |text: &str| {
                let tag = text.split('>').next().unwrap();
                Some((
                    attribute(tag, "name")?,
                    attribute(tag, "value").unwrap_or_default(),
                ))
            };
            PageForm {
                action: attribute(text, "action").unwrap(),
                fields: text.split("<input").skip(1).filter_map(input).collect(),
            }
        };
        self.body.split("<form ").skip(1).map(form).collect()
    }

    /// The first form that is sent to a path.
    pub(super) fn form(&self, action: &str) -> PageForm {
        let mut forms = self.forms().into_iter();
        let found = forms.find(|f| f.action == action);
        found.unwrap_or_else(|| panic!("no form {action} in {}", self.body))
    }

    /// Where its links lead.
    pub(super) fn links(&self) -> Vec<String> {
        let links = self.body.split("href=\"").skip(1);
        links
            .map(|rest| rest.split('"').next().unwrap().to_owned())
            .collect()
    }
}

/// As a person reads it: nothing that these tests look for needs escaping.
fn unescaped(html: &str) -> String {
    html.replace("&#x2f;", "/").replace("&#x27;", "'")
}

fn attribute(text: &str, name: &str) -> Option<String> {
    let (_, rest) = text.split_once(&format!("{name}=\""))?;
    Some(rest.split('"').next()?.to_owned())
}
