//! Finds `libmixgrpo.so`: in the folder MIXGRPO_LIBRARY_FOLDER, by pkg-config, or in the checkout around this crate.

use std::env;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{exit, Command};

const LIBRARY: &str = "libmixgrpo.so";
const BUILT_IN_CHECKOUT: &str = "../../.build/release";

fn main() {
    println!("cargo:rerun-if-env-changed=MIXGRPO_LIBRARY_FOLDER");
    println!("cargo:rerun-if-env-changed=PKG_CONFIG_PATH");
    println!("cargo:rerun-if-changed=build.rs");
    if env::var_os("DOCS_RS").is_some() {
        return;
    }
    match library_folder() {
        Ok(folder) => link(&folder),
        Err(message) => {
            eprintln!("error: {message}");
            exit(1)
        }
    }
}

fn library_folder() -> Result<PathBuf, String> {
    if let Some(folder) = env::var_os("MIXGRPO_LIBRARY_FOLDER") {
        let folder = PathBuf::from(folder);
        return found_in(&folder).ok_or_else(|| {
            format!("MIXGRPO_LIBRARY_FOLDER: expected a folder with {LIBRARY}, got {}", folder.display())
        });
    }
    let checkout = Path::new(&env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default()).join(BUILT_IN_CHECKOUT);
    pkg_config().and_then(|folder| found_in(&folder)).or_else(|| found_in(&checkout)).ok_or_else(|| {
        format!(
            "{LIBRARY}: expected it in the folder MIXGRPO_LIBRARY_FOLDER, by pkg-config (mixgrpo.pc), or built by \
             `make library` in the checkout, got none"
        )
    })
}

fn found_in(folder: &Path) -> Option<PathBuf> {
    folder.canonicalize().ok().filter(|folder| folder.join(LIBRARY).exists())
}

fn pkg_config() -> Option<PathBuf> {
    let output = Command::new("pkg-config").args(["--variable=libdir", "mixgrpo"]).output().ok()?;
    let folder = String::from_utf8(output.stdout).ok()?;
    (output.status.success() && !folder.trim().is_empty()).then(|| PathBuf::from(folder.trim()))
}

fn link(folder: &Path) {
    println!("cargo:rerun-if-changed={}", folder.join(LIBRARY).display());
    println!("cargo:rustc-link-search=native={}", folder.display());
    println!("cargo:rustc-link-lib=dylib=mixgrpo");
    // This crate's own examples and tests find the library where it was linked.
    println!("cargo:rustc-link-arg=-Wl,-rpath,{}", folder.display());
    // A crate that depends on this one finds the folder in DEP_MIXGRPO_FOLDER, for its own -rpath.
    println!("cargo:folder={}", folder.display());
    show_to_cargo(folder);
}

/// `cargo run` and `cargo test`, also of dependent crates, let the loader search the library folders inside OUT_DIR: links there
/// lead it to the library.
fn show_to_cargo(folder: &Path) {
    let Some(out) = env::var_os("OUT_DIR").map(PathBuf::from) else {
        return;
    };
    for name in [LIBRARY, "libmixgrpo.so.0"] {
        let link = out.join(name);
        let _ = std::fs::remove_file(&link);
        if let Err(error) = symlink(folder.join(LIBRARY), &link) {
            println!("cargo:warning={}: {error}", link.display());
        }
    }
    println!("cargo:rustc-link-search=native={}", out.display());
}
