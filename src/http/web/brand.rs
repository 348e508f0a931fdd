//! The vendor's looks: a logo, and the stylesheet of colours that is made from the config.

use std::path::Path;

use super::files::PageMistake;
use crate::config::{Color, Vendor};

/// The largest logo that is served.
const LOGO_BYTES_MAX: u64 = 256 << 10;
/// The contrast that text needs on its ground (WCAG 2, level AA).
const CONTRAST_MIN: f64 = 4.5;
/// The grounds on which links stand, light and dark: the lightest and the darkest that `style.css` has.
const LIGHT: [Color; 2] = [rgb(0xff, 0xff, 0xff), rgb(0xf4, 0xf5, 0xf7)];
const DARK: [Color; 2] = [rgb(0x13, 0x15, 0x18), rgb(0x1d, 0x20, 0x24)];

const fn rgb(r: u8, g: u8, b: u8) -> Color {
    Color { rgb: [r, g, b] }
}

/// The vendor's colours as a stylesheet; without any it is empty, and those of `style.css` stay.
pub(super) fn colors(vendor: &Vendor) -> String {
    let light = vendor.color.map(|c| rules(c, &LIGHT));
    let dark = vendor.color_dark.or(vendor.color).map(|c| rules(c, &DARK));
    let scheme = |name: &str, rules: Option<String>| {
        let rules = rules.map(|r| format!(":root {{ {r} }}"));
        rules.map(|r| format!("@media (prefers-color-scheme: {name}) {{ {r} }}\n"))
    };
    // Each in its own light: it comes after `style.css`, whose dark colours it must not undo.
    let all = [scheme("light", light), scheme("dark", dark)];
    all.into_iter().flatten().collect()
}

/// The colour for buttons, with the ink that is read best on it; links take it where it is read well.
fn rules(color: Color, grounds: &[Color]) -> String {
    let ink = color.ink();
    let link = grounds.iter().all(|g| color.contrast(*g) >= CONTRAST_MIN);
    let link = if link {
        format!(" --link: {color};")
    } else {
        String::new()
    };
    format!("--accent: {color}; --on-accent: {ink};{link}")
}

/// A picture, and what kind it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Logo {
    pub(super) ending: &'static str,
    pub(super) content_type: &'static str,
    pub(super) bytes: Vec<u8>,
}

/// Reads the logo.
pub(super) fn logo(path: &Path) -> Result<Logo, PageMistake> {
    let wrong = |why: String| PageMistake::new(path.display().to_string(), why);
    let ending = path.extension().and_then(|e| e.to_str());
    let ending = ending.unwrap_or_default().to_ascii_lowercase();
    let (ending, content_type) = match ending.as_str() {
        "svg" => ("svg", "image/svg+xml"),
        "png" => ("png", "image/png"),
        "jpg" | "jpeg" => ("jpg", "image/jpeg"),
        "webp" => ("webp", "image/webp"),
        "gif" => ("gif", "image/gif"),
        _ => {
            let why = "is no picture that is known: `.svg`, `.png`, `.jpg`, `.webp` or `.gif`";
            return Err(wrong(why.to_owned()));
        }
    };
    let size = std::fs::metadata(path).map_err(|e| wrong(e.to_string()))?;
    if size.len() > LOGO_BYTES_MAX {
        return Err(wrong(format!(
            "is larger than {} KiB",
            LOGO_BYTES_MAX >> 10
        )));
    }
    let bytes = std::fs::read(path).map_err(|e| wrong(e.to_string()))?;
    Ok(Logo {
        ending,
        content_type,
        bytes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(color: &str, color_dark: Option<&str>) -> String {
        colors(&Vendor {
            color: Color::parse(color),
            color_dark: color_dark.and_then(Color::parse),
            ..Vendor::default()
        })
    }

    #[test]
    fn text_on_a_colour_is_always_readable() {
        for r in (0..=255).step_by(17) {
            for g in (0..=255).step_by(17) {
                for b in (0..=255).step_by(17) {
                    let color = rgb(r, g, b);
                    let best = color.contrast(color.ink());
                    assert!(best > CONTRAST_MIN, "{color}: {best}");
                }
            }
        }
    }

    #[test]
    fn links_take_a_colour_only_where_it_is_read() {
        insta::assert_snapshot!(with("#1f5fbf", None), @r"
        @media (prefers-color-scheme: light) { :root { --accent: #1f5fbf; --on-accent: #ffffff; --link: #1f5fbf; } }
        @media (prefers-color-scheme: dark) { :root { --accent: #1f5fbf; --on-accent: #ffffff; } }
        ");
        insta::assert_snapshot!(with("#ffd500", Some("#ffd500")), @r"
        @media (prefers-color-scheme: light) { :root { --accent: #ffd500; --on-accent: #000000; } }
        @media (prefers-color-scheme: dark) { :root { --accent: #ffd500; --on-accent: #000000; --link: #ffd500; } }
        ");
        assert_eq!(colors(&Vendor::default()), "");
    }

    #[test]
    fn a_logo_is_a_small_picture() {
        let home = tempfile::tempdir().unwrap();
        let file = |name: &str, len: usize| {
            let path = home.path().join(name);
            std::fs::write(&path, vec![b'x'; len]).unwrap();
            logo(&path)
        };
        assert_eq!(file("logo.SVG", 10).unwrap().content_type, "image/svg+xml");
        assert!(file("logo.exe", 10).unwrap_err().why.contains("no picture"));
        assert!(
            file("logo.png", 300 << 10)
                .unwrap_err()
                .why
                .contains("256 KiB")
        );
        assert!(logo(&home.path().join("none.png")).is_err());
    }
}
