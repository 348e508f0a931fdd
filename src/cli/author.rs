//! Who gives an order: the name that is kept with it.

use std::fs;
use std::os::unix::fs::MetadataExt;

/// Who runs this command: the person behind `sudo` where it was called so, for the server's account is everybody's.
pub(super) fn author() -> String {
    let uid = fs::metadata("/proc/self").ok().map(|of| of.uid());
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    author_of(|name| std::env::var(name).ok(), uid, &users)
}

fn author_of(env: impl Fn(&str) -> Option<String>, uid: Option<u32>, users: &str) -> String {
    let named = ["SUDO_USER", "LOGNAME", "USER"].into_iter().filter_map(env);
    named
        .map(|name| name.trim().to_owned())
        .find(|name| !name.is_empty())
        .or_else(|| uid.map(|uid| user(uid, users).unwrap_or_else(|| format!("uid {uid}"))))
        .unwrap_or_default()
}

/// A user's name in the form of `/etc/passwd`.
fn user(uid: u32, users: &str) -> Option<String> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        let id: u32 = fields.nth(1)?.parse().ok()?;
        (id == uid).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_person_behind_sudo_goes_before_the_account_that_the_command_runs_as() {
        let users = "root:x:0:0::/:/bin/sh\nbroken\nada:x:1000:1000::/:/bin/sh\n";
        let of = |env: &[(&str, &str)], uid| {
            let get = |name: &str| {
                let found = env.iter().find(|(key, _)| *key == name);
                found.map(|(_, value)| (*value).to_owned())
            };
            author_of(get, uid, users)
        };
        let server = [("USER", "keyward"), ("LOGNAME", "keyward")];
        let sudo = [server[0], server[1], ("SUDO_USER", "ada")];
        assert_eq!(of(&sudo, Some(0)), "ada");
        assert_eq!(of(&server, Some(0)), "keyward");
        assert_eq!(of(&[("LOGNAME", "eve"), ("USER", "bob")], Some(0)), "eve");
        assert_eq!(of(&[("SUDO_USER", " "), ("USER", "bob")], Some(0)), "bob");
        assert_eq!(of(&[], Some(1000)), "ada");
        assert_eq!(of(&[("USER", "")], Some(1001)), "uid 1001");
        assert_eq!(of(&[], None), "");
    }
}
