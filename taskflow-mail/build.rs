//! Lists the templates below `templates/`, so that a notice needs nothing but its folder.

use std::path::Path;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    println!("cargo:rerun-if-changed=templates");
    let root = Path::new(&env::var("CARGO_MANIFEST_DIR").map_err(io::Error::other)?).join("templates");
    let mut names = Vec::new();
    for entry in fs::read_dir(&root)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // Pages have templates and words of their own.
        if !entry.file_type()?.is_dir() {
            names.push(name);
        } else if name != "pages" && name != "locales" {
            for file in fs::read_dir(entry.path())? {
                names.push(format!("{name}/{}", file?.file_name().to_string_lossy()));
            }
        }
    }
    names.retain(|name| name.ends_with(".txt") || name.ends_with(".html"));
    names.sort();
    let entries = names.iter().map(|name| format!("({name:?}, include_str!({:?})),\n", root.join(name)));
    let list = format!("[\n{}]\n", entries.collect::<String>());
    fs::write(Path::new(&env::var("OUT_DIR").map_err(io::Error::other)?).join("templates.rs"), list)
}
