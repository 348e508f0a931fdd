//! A vendor's folder of files that go over the built-in ones: mail templates, and what pages are made of.

use std::path::{Path, PathBuf};

/// The largest file that is read, in bytes: no page and no mail needs more.
const FILE_BYTES_MAX: u64 = 256 << 10;

/// A file of a vendor's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnFile {
    /// Its name below the folder, with `/` whatever the system's separator.
    pub name: String,
    /// Where it lies.
    pub path: PathBuf,
    pub text: String,
}

/// What could not be read, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnreadFile {
    pub path: PathBuf,
    pub why: String,
}

/// Reads a folder and those below it, `depth` levels in all, in the order of the paths. Hidden files are none of our business.
#[must_use]
pub fn read(folder: &Path, depth: usize) -> Vec<Result<OwnFile, UnreadFile>> {
    let mut found = Vec::new();
    read_below(folder, folder, depth, &mut found);
    found
}

fn read_below(
    root: &Path,
    folder: &Path,
    depth: usize,
    found: &mut Vec<Result<OwnFile, UnreadFile>>,
) {
    let unread = |path: &Path, why: String| UnreadFile {
        path: path.to_owned(),
        why,
    };
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(why) => return found.push(Err(unread(folder, why.to_string()))),
    };
    let mut paths: Vec<PathBuf> = entries.filter_map(Result::ok).map(|e| e.path()).collect();
    paths.sort();
    for path in paths {
        let is_hidden = |n: &std::ffi::OsStr| n.to_string_lossy().starts_with('.');
        if path.file_name().is_some_and(is_hidden) {
            continue;
        }
        if path.is_dir() && depth > 1 {
            read_below(root, &path, depth - 1, found);
        } else {
            found.push(read_file(root, &path).map_err(|why| unread(&path, why)));
        }
    }
}

fn read_file(root: &Path, path: &Path) -> Result<OwnFile, String> {
    let size = std::fs::metadata(path).map_err(|why| why.to_string())?;
    if !size.is_file() {
        return Err("is no file, or a folder too deep".to_owned());
    }
    if size.len() > FILE_BYTES_MAX {
        return Err(format!("is larger than {FILE_BYTES_MAX} bytes"));
    }
    let inside = path.strip_prefix(root).map_err(|why| why.to_string())?;
    let name: Vec<String> = inside
        .components()
        .map(|part| part.as_os_str().to_string_lossy().into_owned())
        .collect();
    let bytes = std::fs::read(path).map_err(|why| why.to_string())?;
    let text = String::from_utf8(bytes).map_err(|_| "is not UTF-8".to_owned())?;
    Ok(OwnFile {
        name: name.join("/"),
        path: path.to_owned(),
        text,
    })
}
