//! The names, values and types declared here against those of the header.

use std::collections::BTreeMap;

use super::header;

const SOURCES: [&str; 6] = [
    include_str!("base.rs"),
    include_str!("model.rs"),
    include_str!("settings.rs"),
    include_str!("learning.rs"),
    include_str!("trainer.rs"),
    include_str!("pieces.rs"),
];

/// What stands between `start` and the next semicolon, with single spaces.
fn declared(start: &str) -> Vec<String> {
    let sources = SOURCES.iter().flat_map(|source| source.split(start).skip(1));
    sources.filter_map(|rest| rest.split(';').next()).map(header::squeezed).collect()
}

/// rustfmt breaks long declarations and leaves a comma at the end.
fn on_one_line(function: &str) -> String {
    function.replace("( ", "(").replace(", )", ")")
}

#[test]
fn every_function_of_the_header_is_declared_with_its_types_and_no_other() {
    let here: Vec<String> = declared("pub fn ").iter().map(|function| on_one_line(function)).collect();
    let there = header::functions();
    assert!(there.len() > 100, "only {} functions were read from the header", there.len());
    for (declared, expected) in here.iter().zip(&there) {
        assert_eq!(declared, expected);
    }
    assert_eq!(here.len(), there.len());
}

#[test]
fn every_constant_of_the_header_is_declared_with_its_value_and_no_other() {
    let here: BTreeMap<String, i64> = declared("pub const ")
        .iter()
        .filter_map(|constant| {
            let (name, rest) = constant.split_once(':')?;
            Some((name.to_string(), rest.split_once('=')?.1.trim().parse().ok()?))
        })
        .collect();
    assert_eq!(here, header::constants());
}
