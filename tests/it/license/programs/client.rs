//! The small client in Rust: docs/licensing.md shows this very file, and a test compares.

use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{ED25519, UnparsedPublicKey};
use serde_json::{Value, json};

/// Build these into your program.
pub struct Vendor {
    /// Your server: `https://buy.example.com`.
    pub server: String,
    /// The application's id, as in `[licenses]` or the plan.
    pub app: String,
    /// The server's public keys, in hex: the one that signs, and the next one, once there is one.
    pub public_keys: Vec<String>,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum NoAnswer {
    /// Try again later; until then a saved answer counts.
    Unreachable(String),
    /// The server says no: its code, such as `unknown_key` or `mistyped_key`.
    Refused(String),
    /// Somebody made it up, or sent an old one.
    Forged(&'static str),
}

impl Vendor {
    /// Asks `validate`, `activate`, `deactivate` or `heartbeat`; the signed answer and what it says.
    pub async fn ask(
        &self,
        call: &str,
        key: &str,
        device: &str,
    ) -> Result<(Value, Value), NoAnswer> {
        let mut random = [0; 24];
        let random_is_there = SystemRandom::new().fill(&mut random);
        random_is_there.map_err(|_| NoAnswer::Unreachable("no randomness".into()))?;
        let nonce = hex::encode(random);
        let question = json!({ "key": key, "app": self.app, "device": device, "nonce": nonce });
        let sent = reqwest::Client::new()
            .post(format!("{}/licenses/v1/{call}", self.server))
            .timeout(std::time::Duration::from_secs(10))
            .body(question.to_string())
            .send();
        let answer = sent.await.map_err(unreachable)?;
        let status = answer.status().as_u16();
        let signed: Value = answer.json().await.map_err(unreachable)?;
        let code = signed["error"].as_str().unwrap_or("no_json").to_owned();
        match status {
            200 => {}
            429 | 500.. => return Err(NoAnswer::Unreachable(code)),
            _ => return Err(NoAnswer::Refused(code)),
        }
        let said = if call == "offline" {
            self.opened("keyward-offline-1\n", &signed)?
        } else {
            self.opened("keyward-answer-1\n", &signed)?
        };
        // The server knows a question by its nonce: an answer to another question is an old one.
        if said["nonce"] != json!(nonce) {
            return Err(NoAnswer::Forged("an answer to another question"));
        }
        if call != "offline" && (said["call"] != json!(call) || said["key"] != json!(key)) {
            return Err(NoAnswer::Forged("an answer for another call or key"));
        }
        self.is_for(&said, device)?;
        Ok((signed, said))
    }

    /// At each start: asks, and takes a place for the device. Without a connection the saved answer counts until it ends.
    pub async fn start(
        &self,
        key: &str,
        device: &str,
        saved: &mut Option<Value>,
        now_s: i64,
    ) -> Result<Value, NoAnswer> {
        match self.ask("activate", key, device).await {
            Ok((signed, said)) => {
                *saved = (said["live"] == true).then_some(signed);
                Ok(said)
            }
            Err(NoAnswer::Unreachable(why)) => {
                let signed = saved.as_ref().ok_or(NoAnswer::Unreachable(why))?;
                let said = self.opened("keyward-answer-1\n", signed)?;
                self.is_for(&said, device)?;
                let on_time = in_time(&said, "rely_until", now_s, 300);
                if said["key"] == json!(key) && said["live"] == true && on_time {
                    return Ok(said);
                }
                Err(NoAnswer::Unreachable("the saved answer has ended".into()))
            }
            Err(no) => Err(no),
        }
    }

    /// What an offline file says, if it is for this device and still counts.
    pub fn offline_file(&self, file: &Value, device: &str, now_s: i64) -> Result<Value, NoAnswer> {
        let said = self.opened("keyward-offline-1\n", file)?;
        self.is_for(&said, device)?;
        if !in_time(&said, "until", now_s, 86_400) {
            return Err(NoAnswer::Refused("expired".into()));
        }
        Ok(said)
    }

    fn opened(&self, purpose: &str, signed: &Value) -> Result<Value, NoAnswer> {
        let text = |field: &str| signed[field].as_str().unwrap_or_default().to_owned();
        let message = purpose.to_owned() + &text("payload");
        let signature = hex::decode(text("signature"));
        let signature = signature.map_err(|_| NoAnswer::Forged("no signature"))?;
        let signed_by = |public_key: &String| {
            let public_key = hex::decode(public_key).unwrap_or_default();
            let public_key = UnparsedPublicKey::new(&ED25519, public_key);
            public_key.verify(message.as_bytes(), &signature).is_ok()
        };
        if !self.public_keys.iter().any(signed_by) {
            return Err(NoAnswer::Forged("a wrong signature"));
        }
        serde_json::from_str(&text("payload")).map_err(|_| NoAnswer::Forged("no JSON"))
    }

    fn is_for(&self, said: &Value, device: &str) -> Result<(), NoAnswer> {
        if said["v"] == 1 && said["app"] == json!(self.app) && said["device"] == json!(device) {
            return Ok(());
        }
        Err(NoAnswer::Forged("for another program, device or version"))
    }
}

/// Clocks differ: one that is a little behind the server's is fine, one that was set back by days is not.
fn in_time(said: &Value, until: &str, now_s: i64, behind_s: i64) -> bool {
    let time = |field: &str| said[field].as_i64().unwrap_or(0);
    time("at") - behind_s <= now_s && now_s <= time(until)
}

fn unreachable(error: reqwest::Error) -> NoAnswer {
    NoAnswer::Unreachable(error.to_string())
}
