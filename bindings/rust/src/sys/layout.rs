//! The structs declared here against the header and a C compiler.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use super::*;

pub trait Laid {
    fn layout() -> Struct;
}

pub struct Struct {
    pub name: &'static str,
    pub size: usize,
    pub fields: Vec<Field>,
}

pub struct Field {
    pub name: &'static str,
    pub rust_type: &'static str,
    pub offset: usize,
    pub size: usize,
}

fn structs() -> Vec<Struct> {
    vec![
        mixgrpo_progress::layout(),
        mixgrpo_model_config::layout(),
        mixgrpo_parameter_info::layout(),
        mixgrpo_evaluator_config::layout(),
        mixgrpo_sampling_config::layout(),
        mixgrpo_learning_config::layout(),
        mixgrpo_setting::layout(),
        mixgrpo_iteration_plan::layout(),
        mixgrpo_step::layout(),
        mixgrpo_adaptive_window::layout(),
        mixgrpo_workload::layout(),
        mixgrpo_memory::layout(),
        mixgrpo_velocity_request::layout(),
        mixgrpo_rollout_config::layout(),
        mixgrpo_advantage_report::layout(),
        mixgrpo_update_statistics::layout(),
        mixgrpo_optimizer_report::layout(),
        mixgrpo_metrics::layout(),
        mixgrpo_reward_metrics::layout(),
        mixgrpo_resumption::layout(),
        mixgrpo_sample_config::layout(),
        mixgrpo_evaluation_config::layout(),
        mixgrpo_evaluation_result::layout(),
        mixgrpo_image_info::layout(),
        mixgrpo_text::layout(),
    ]
}

#[test]
fn every_struct_is_declared_with_the_header_s_fields() {
    let named = |structure: &Struct| {
        let fields = structure.fields.iter().map(|field| field.name.to_string()).collect();
        (structure.name.to_string(), fields)
    };
    let here: BTreeMap<String, Vec<String>> = structs().iter().map(named).collect();
    assert_eq!(here, header::structs());
}

/// How C's _Generic names a type.
fn kind(rust_type: &str) -> &str {
    match rust_type.trim_start_matches('[').split(';').next().unwrap_or_default() {
        "i32" => "int32",
        "u32" => "uint32",
        "i64" => "int64",
        "u64" => "uint64",
        "f64" => "double",
        "*const c_char" => "text",
        "*const f32" => "floats",
        "*const i32" => "integers",
        named if named.starts_with("mixgrpo_") => "int32",
        other => panic!("{other} is not a type of the header"),
    }
}

fn layout_here() -> String {
    let lines = structs().into_iter().flat_map(|structure| {
        let Struct { name, size, fields } = structure;
        let of_fields = fields.into_iter().map(move |field| {
            format!("{name}.{} {} {} {}\n", field.name, field.offset, field.size, kind(field.rust_type))
        });
        std::iter::once(format!("{name} {size}\n")).chain(of_fields)
    });
    lines.collect()
}

fn program() -> String {
    let mut statements = String::new();
    for Struct { name, fields, .. } in structs() {
        statements += &format!("  printf(\"{name} %zu\\n\", sizeof({name}));\n");
        for Field { name: field, rust_type, .. } in fields {
            let element = if rust_type.starts_with('[') { "[0]" } else { "" };
            statements += &format!(
                "  printf(\"{name}.{field} %zu %zu %s\\n\", offsetof({name}, {field}), sizeof((({name} *)0)->{field}), \
                 KIND((({name} *)0)->{field}{element}));\n"
            );
        }
    }
    format!(
        "#include <stdio.h>\n#include \"mixgrpo.h\"\n#define KIND(x) _Generic((x), int32_t: \"int32\", uint32_t: \
         \"uint32\", int64_t: \"int64\", uint64_t: \"uint64\", double: \"double\", const char *: \"text\", \
         const float *: \"floats\", const int32_t *: \"integers\")\nint main(void) {{\n{statements}}}\n"
    )
}

fn layout_in_c(folder: &Path) -> String {
    let (source, executable) = (folder.join("layout.c"), folder.join("layout"));
    std::fs::write(&source, program()).expect("the program can be written");
    let compiled = Command::new("cc")
        .args(["-std=c11", "-Wall", "-Werror", "-I"])
        .arg(header::folder())
        .arg(&source)
        .arg("-o")
        .arg(&executable)
        .output()
        .expect("cc runs");
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    let printed = Command::new(&executable).output().expect("the program runs");
    String::from_utf8(printed.stdout).expect("the program prints text")
}

#[test]
fn structs_lie_in_memory_as_c_lays_them() {
    let folder = std::env::temp_dir().join(format!("mixgrpo-layout-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder for the program can be made");
    let there = layout_in_c(&folder);
    std::fs::remove_dir_all(&folder).expect("the folder can be removed");
    assert_eq!(layout_here(), there);
}
