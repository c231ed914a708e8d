//! Reads `mixgrpo.h`: what the declarations are compared with.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// The folder of the header.
pub fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../include")
}

fn text() -> String {
    let path = folder().join("mixgrpo.h");
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The header's statements without comments, each with single spaces: "mixgrpo_status mixgrpo_model_zero_gradients(…)".
pub fn statements() -> Vec<String> {
    let code = without_comments(&text());
    let lines: String = code.lines().filter(|line| !line.starts_with('#') && !line.starts_with("extern")).collect();
    let (mut statements, mut statement, mut depth) = (Vec::new(), String::new(), 0);
    for character in lines.chars() {
        depth += i32::from(character == '{') - i32::from(character == '}');
        if character == ';' && depth == 0 {
            statements.push(squeezed(&std::mem::take(&mut statement)));
        } else {
            statement.push(character);
        }
    }
    statements
}

/// The names of all structs with fields, and of those fields.
pub fn structs() -> BTreeMap<String, Vec<String>> {
    let bodies = statements().into_iter().filter_map(|statement| {
        let (head, body) = statement.split_once('{')?;
        let name = head.trim().strip_prefix("typedef struct ")?.to_string();
        let fields = body.split(';').filter_map(|field| last_word(field.split('[').next()?)).collect::<Vec<_>>();
        Some((name, fields[..fields.len() - 1].to_vec())) // behind the last stands the struct's name again
    });
    bodies.collect()
}

/// All enumerators and version numbers.
pub fn constants() -> BTreeMap<String, i64> {
    let text = text();
    let macros = text.lines().filter_map(|line| line.strip_prefix("#define "));
    let numbers =
        macros.filter_map(|line| line.split_once(' ')).map(|(name, value)| (name.to_string(), value.to_string()));
    let bodies = statements().into_iter().filter(|statement| statement.starts_with("enum {"));
    let enumerators = bodies.flat_map(|body| {
        let inner = body.trim_start_matches("enum {").trim_end_matches('}').to_string();
        let pairs = inner.split(',').filter_map(|pair| pair.split_once('='));
        pairs.map(|(name, value)| (name.to_string(), value.to_string())).collect::<Vec<_>>()
    });
    let both = numbers.chain(enumerators);
    both.filter_map(|(name, value)| Some((name.trim().to_string(), value.trim().parse().ok()?))).collect()
}

/// The functions in their order: name, types of the parameters with their names, and type of the result, as Rust writes
/// them: "mixgrpo_model_copy(model: *const mixgrpo_model, out_copy: *mut *mut mixgrpo_model) -> mixgrpo_status".
pub fn functions() -> Vec<String> {
    let statements = statements().into_iter().filter(|statement| !statement.starts_with("typedef"));
    statements.filter_map(|statement| in_rust(&statement)).collect()
}

fn in_rust(statement: &str) -> Option<String> {
    let (head, rest) = statement.split_once('(')?;
    let name = last_word(head)?;
    let result = match type_in_rust(head.strip_suffix(&name)?) {
        nothing if nothing == "c_void" => String::new(),
        kind => format!(" -> {kind}"),
    };
    let parameters = rest.strip_suffix(')')?.split(',').filter(|parameter| *parameter != "void");
    let typed = parameters.filter_map(|parameter| {
        let parameter = parameter.trim();
        let field = last_word(parameter)?;
        Some(format!("{field}: {}", type_in_rust(parameter.strip_suffix(&field)?)))
    });
    Some(format!("{name}({}){result}", typed.collect::<Vec<_>>().join(", ")))
}

/// "const char *const *" → "*const *const c_char"
fn type_in_rust(c: &str) -> String {
    let spaced = c.replace('*', " * ");
    let mut words = spaced.split_whitespace().peekable();
    let mut is_const = words.next_if_eq(&"const").is_some();
    let mut kind = base_in_rust(words.next().unwrap_or_default()).to_string();
    while words.next_if_eq(&"*").is_some() {
        kind = format!("*{} {kind}", if is_const { "const" } else { "mut" });
        is_const = words.next_if_eq(&"const").is_some();
    }
    kind
}

fn base_in_rust(c: &str) -> &str {
    match c {
        "int32_t" => "i32",
        "int64_t" => "i64",
        "uint8_t" => "u8",
        "uint32_t" => "u32",
        "uint64_t" => "u64",
        "size_t" => "usize",
        "float" => "f32",
        "double" => "f64",
        "char" => "c_char",
        "void" => "c_void",
        own => own,
    }
}

fn without_comments(text: &str) -> String {
    let mut code = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("/*") {
        code.push_str(before);
        code.push(' ');
        rest = after.split_once("*/").map_or("", |(_, behind)| behind);
    }
    code + rest
}

/// All runs of white space as one space.
pub fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn last_word(text: &str) -> Option<String> {
    let mut words = text.split(|character: char| !(character.is_alphanumeric() || character == '_'));
    words.rfind(|word| !word.is_empty()).map(str::to_string)
}
